"""`gensight doctor`."""

import typer


def doctor() -> None:
    """Show what this machine can run, and what is missing."""
    from gensight.verbs.doctor import doctor as examine

    checks = examine()
    width = max(len(check.name) for check in checks)
    for check in checks:
        typer.echo(f"{check.level:<7}  {check.name:<{width}}  {check.text}")
        if check.hint:
            typer.echo(f"{'':<7}  {'':<{width}}  -> {check.hint}")
    if any(check.level == "missing" for check in checks):
        raise typer.Exit(1)
