"""Lightning behind one door: `fit` trains a Method on a stream of batches into a run folder.

- `run_folder.py`: where a run keeps its files, and what makes a folder a run.
- `card.py`: `Card`, the description of a run's model.
- `module.py`: `MethodModule`, the one LightningModule.
- `callbacks.py`: checkpoints, log file, progress line, time limit.
- `fit.py`: builds the Trainer, trains or resumes.
- `weights.py`: what was trained, as safetensors plus a card.
"""
