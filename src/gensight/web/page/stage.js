/* The picture of the page: an image, layers over it that can be switched off, and boxes or points drawn by hand.

`props.scene` comes from the server (`stage.py`); `props.value` is the text of the marks, a line each, in pixels of the
image: `x_min y_min x_max y_max`, or `x y`. Texts go into the document as text, never as HTML. */
const NAMES = {boxes: "box", heads: "head box", points: "point"};
const MANY = {boxes: "boxes", heads: "head boxes", points: "points"};
const HINTS = {
  boxes: "Drag on the image to draw a box around each subject.",
  heads: "Drag on the image to draw a box around each head.",
  points: "Tap the image to set points, or leave it to an even grid.",
};
const SVG = "http://www.w3.org/2000/svg";
const root = element.querySelector(".gs-stage");
const part = (name) => root.querySelector(".gs-" + name);
const view = part("view"), svg = part("marks"), typed = part("typed"), field = typed.querySelector("textarea");
const state = {marks: [], selected: -1, drag: null, off: {}, stale: false};

const make = (tag, name, text, parent) => {
  const one = document.createElement(tag);
  one.className = "gs-" + name;
  if (text) one.textContent = text;
  parent.append(one);
  return one;
};
const mode = () => (NAMES[props.scene.mode] ? props.scene.mode : null);
const width = () => (mode() === "points" ? 2 : 4);
const shown = (value) => String(Math.round(value * 10) / 10);

function parse(text) {
  const rows = (text || "").split("\n").map((line) => line.replaceAll(",", " ").split(" ").filter(Boolean).map(Number));
  return rows.filter((row) => row.length === width() && row.every(Number.isFinite));
}
function publish() {
  const text = state.marks.map((mark) => mark.map(shown).join(" ")).join("\n");
  field.value = text;
  state.stale = (props.scene.layers || []).length > 0;
  root.classList.toggle("gs-stale", state.stale);
  props.value = text;
  draw();
}
function ordered([a, b, c, d]) {
  return [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)];
}

/* Of the pointer, in pixels of the image; and how many of these one pixel of the screen is. */
function place(event) {
  const frame = svg.getBoundingClientRect(), [w, h] = props.scene.size;
  const clip = (value, most) => Math.min(Math.max(value, 0), most);
  return [clip((event.clientX - frame.x) / frame.width * w, w), clip((event.clientY - frame.y) / frame.height * h, h)];
}
const unit = () => props.scene.size[0] / (svg.getBoundingClientRect().width || 1);

function grabbed(at) {
  const reach = 16 * unit();
  if (mode() === "points") {
    const found = state.marks.findIndex(([x, y]) => Math.hypot(x - at[0], y - at[1]) < reach);
    return found < 0 ? null : {index: found, kind: "move", from: at, mark: state.marks[found]};
  }
  for (let index = state.marks.length - 1; index >= 0; index--) {
    const [a, b, c, d] = state.marks[index];
    for (const [corner, x, y, ox, oy] of [[0, a, b, c, d], [1, c, b, a, d], [2, c, d, a, b], [3, a, d, c, b]]) {
      if (Math.hypot(x - at[0], y - at[1]) < reach) return {index, kind: "size", anchor: [ox, oy], corner};
    }
  }
  const [a, b, c, d] = state.marks[state.selected] || [0, 0, -1, -1];
  const inside = at[0] >= a && at[0] <= c && at[1] >= b && at[1] <= d;
  return inside ? {index: state.selected, kind: "move", from: at, mark: state.marks[state.selected]} : null;
}
function moved(mark, by) {
  const [w, h] = props.scene.size;
  const xs = mark.filter((_, k) => k % 2 === 0), ys = mark.filter((_, k) => k % 2 === 1);
  const dx = Math.min(Math.max(by[0], -Math.min(...xs)), w - Math.max(...xs));
  const dy = Math.min(Math.max(by[1], -Math.min(...ys)), h - Math.max(...ys));
  return mark.map((value, k) => value + (k % 2 ? dy : dx));
}
svg.addEventListener("pointerdown", (event) => {
  if (!mode() || event.button > 0 || event.target.closest(".gs-remove")) return;
  event.preventDefault();
  svg.focus({preventScroll: true});
  svg.setPointerCapture(event.pointerId);
  const at = place(event);
  state.drag = grabbed(at) || {index: -1, kind: "new", from: at};
  state.drag.start = at;
  if (state.drag.index >= 0) state.selected = state.drag.index;
  draw();
});
svg.addEventListener("pointermove", (event) => {
  const drag = state.drag;
  if (!drag) return;
  const at = place(event);
  drag.far = drag.far || Math.hypot(at[0] - drag.start[0], at[1] - drag.start[1]) > 4 * unit();
  if (!drag.far || (drag.kind === "new" && mode() === "points")) return;
  if (drag.kind === "new") {
    if (state.marks.length >= props.scene.most) return;
    Object.assign(drag, {kind: "size", anchor: drag.start, index: state.marks.length});
    state.marks.push([...drag.start, ...drag.start]);
    state.selected = drag.index;
  }
  state.marks[drag.index] = drag.kind === "size" ? ordered([...drag.anchor, ...at])
    : moved(drag.mark, [at[0] - drag.from[0], at[1] - drag.from[1]]);
  draw();
});
function release(event) {
  const drag = state.drag;
  state.drag = null;
  if (!drag) return;
  if (drag.far && drag.index >= 0) {
    const mark = state.marks[drag.index];
    if (width() === 4 && Math.min(mark[2] - mark[0], mark[3] - mark[1]) < 1) state.marks.splice(drag.index, 1);
    publish();
  } else if (mode() === "points" && drag.kind === "new" && state.marks.length < props.scene.most) {
    state.marks.push(drag.start);
    publish();
  } else if (mode() === "points" && drag.kind === "move") {
    state.marks.splice(drag.index, 1);
    publish();
  } else {
    const [x, y] = drag.start;
    state.selected = state.marks.findLastIndex(([a, b, c, d]) => x >= a && x <= c && y >= b && y <= d);
    draw();
  }
}
svg.addEventListener("pointerup", release);
svg.addEventListener("pointercancel", release);
svg.addEventListener("keydown", (event) => {
  if (state.selected < 0 || !["Delete", "Backspace"].includes(event.key)) return;
  event.preventDefault();
  remove(state.selected);
});
function remove(index) {
  state.marks.splice(index, 1);
  state.selected = -1;
  publish();
}

function shape(tag, name, values, parent) {
  const one = document.createElementNS(SVG, tag);
  one.setAttribute("class", "gs-" + name);
  for (const [key, value] of Object.entries(values)) one.setAttribute(key, value);
  parent.append(one);
  return one;
}
function draw() {
  svg.replaceChildren();
  if (!props.scene.image) return;
  const u = unit();
  state.marks.forEach((mark, index) => {
    const group = shape("g", index === state.selected ? "mark gs-selected" : "mark", {}, svg);
    if (mode() === "points") {
      shape("circle", "halo", {cx: mark[0], cy: mark[1], r: 6 * u}, group);
      shape("circle", "line", {cx: mark[0], cy: mark[1], r: 6 * u}, group);
      return;
    }
    const [a, b, c, d] = mark;
    const box = {x: a, y: b, width: c - a, height: d - b};
    shape("rect", "halo", box, group);
    shape("rect", "line", box, group);
    for (const [x, y] of [[a, b], [c, b], [c, d], [a, d]]) shape("circle", "corner", {cx: x, cy: y, r: 5 * u}, group);
    const size = 11 * u, [w, h] = props.scene.size;
    const x = Math.min(Math.max((a + c) / 2, size), w - size), y = Math.min(Math.max(b - 1.4 * size, size), h - size);
    const cross = shape("g", "remove", {role: "button", "aria-label": "Remove this " + NAMES[mode()]}, group);
    shape("circle", "disc", {cx: x, cy: y, r: size}, cross);
    const r = size / 3;
    shape("path", "cross", {d: ["M", x - r, y - r, "L", x + r, y + r, "M", x + r, y - r, "L", x - r, y + r].join(" ")}, cross);
    cross.addEventListener("click", () => remove(index));
  });
  part("clear").hidden = !state.marks.length;
  part("clear").textContent = "Clear " + (MANY[mode()] || "marks");
}

function switches() {
  const scene = props.scene, bar = part("switches"), layers = part("layers");
  bar.replaceChildren();
  layers.replaceChildren();
  const add = (name, on, apply) => {
    const chip = make("button", "chip", name, bar);
    chip.type = "button";
    const set = (value) => {
      state.off[name] = !value;
      chip.setAttribute("aria-pressed", value);
      apply(value);
    };
    chip.addEventListener("click", () => set(chip.getAttribute("aria-pressed") !== "true"));
    set(name in state.off ? !state.off[name] : on);
    return chip;
  };
  for (const one of scene.layers || []) {
    const frame = make("picture", "layer", "", layers);
    layers.prepend(frame);
    if (one.narrow) Object.assign(make("source", "narrow", "", frame), {media: "(max-width: 640px)", srcset: one.narrow});
    const picture = make("img", "drawn", "", frame);
    picture.alt = one.name;
    picture.src = one.url;
    const chip = add(one.name, one.on, (on) => { frame.hidden = !on; });
    if (one.name === "Answer") bar.prepend(chip);
  }
  const video = part("video");
  video.hidden = !scene.video;
  if (scene.video) {
    video.src = scene.video;
    add("Video", true, (on) => { video.hidden = !on; });
  } else {
    video.removeAttribute("src");
  }
  const sheet = part("sheet"), [w, h] = scene.size;
  sheet.hidden = !scene.sheet;
  view.style.setProperty("--aspect", w / h);
  if (scene.sheet) {
    sheet.src = scene.sheet.url;
    add("Answer", true, (on) => {
      sheet.hidden = !on;
      view.style.setProperty("--aspect", on ? scene.sheet.aspect : w / h);
    });
  }
  svg.style.visibility = "";
  if (mode() && ((scene.layers || []).length || scene.video)) {
    const title = MANY[mode()];
    add(title[0].toUpperCase() + title.slice(1), true, (on) => { svg.style.visibility = on ? "" : "hidden"; });
  }
}
function legend() {
  const list = part("legend");
  list.replaceChildren();
  for (const entry of props.scene.legend || []) {
    const item = make("span", "entry", "", list), swatch = make("span", "swatch gs-" + entry.mark, "", item);
    const plain = entry.colour.every((value) => value === 255);
    swatch.style.setProperty("--mark", plain ? "var(--body-text-color)" : "rgb(" + entry.colour.join() + ")");
    item.append(entry.text);
  }
}
function render() {
  const scene = props.scene;
  root.hidden = !scene.image;
  if (!scene.image) return;
  const [w, h] = scene.size;
  part("image").src = scene.image;
  part("title").textContent = scene.title || "";
  svg.setAttribute("viewBox", "0 0 " + w + " " + h);
  root.classList.toggle("gs-drawing", !!mode());
  root.classList.toggle("gs-answered", scene.layers.length > 0);
  root.classList.remove("gs-stale");
  part("hint").textContent = scene.note || HINTS[mode()] || "";
  typed.hidden = !mode();
  typed.querySelector("summary").textContent = mode() === "points" ? "Points in pixels" : "Boxes in pixels";
  typed.querySelector("label").textContent = (width() === 2 ? "x y" : "x_min y_min x_max y_max") + ", one a line";
  switches();
  legend();
  load();
}
function load() {
  state.marks = mode() ? parse(props.value) : [];
  state.selected = -1;
  field.value = mode() ? props.value || "" : "";
  draw();
}
field.addEventListener("input", () => {
  state.marks = parse(field.value);
  state.stale = (props.scene.layers || []).length > 0;
  root.classList.toggle("gs-stale", state.stale);
  props.value = field.value;
  draw();
});
part("clear").addEventListener("click", () => { state.marks = []; state.selected = -1; publish(); });
part("other").addEventListener("click", () => trigger("clear"));
part("image").addEventListener("load", draw);
new ResizeObserver(draw).observe(view);
watch(Object.keys({scene: 0}), render);  // unquoted: Gradio takes every quoted word here for the name of an event
watch("value", () => {
  const text = state.marks.map((mark) => mark.map(shown).join(" ")).join("\n");
  if (!state.drag && document.activeElement !== field && (props.value || "") !== text) load();
});
render();
