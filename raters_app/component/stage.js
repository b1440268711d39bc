// The pictures: A and B at the same size, zoomed and moved together, one laid over the other on request.
// All of them hang on three CSS variables of one element, so they cannot get out of step.

const MOST_ZOOM = 16;
const PIXELATED_FROM = 3;
const LABEL_HEIGHT = 36;
const LEAST_WIDTH = 240;

function make(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

function pane(side, label, layers) {
  const frame = make("div", "frame", ...layers.map(({ image, name }) => layer(image, name)));
  const tag = make("figcaption", "tag", label);
  const figure = make("figure", "pane", make("div", "fit", make("div", "box", tag, frame)));
  figure.dataset.side = side;
  return { figure, frame, tag, label };
}

function layer(image, name) {
  image.classList.add("layer", name);
  return image;
}

// The same picture a second time; the browser keeps one copy of its pixels.
function twin(image) {
  const copy = image.cloneNode();
  copy.alt = "";
  return copy;
}

class Stage {
  constructor() {
    this.root = make("div", "stage");
    this.used = { blinks: 0, source_views: 0, zoom_max: 1 };
    this.panes = [];
    this.pointers = new Map();
    this.reset();
    this.listen();
    new ResizeObserver(() => this.arrange()).observe(this.root);
  }

  show({ left, right, source }) {
    const over = source ? [{ image: twin(source), name: "source" }] : [];
    const overToo = source ? [{ image: twin(source), name: "source" }] : [];
    const a = pane("a", "A", [{ image: left, name: "own" }, { image: twin(right), name: "other" }, ...over]);
    const b = pane("b", "B", [{ image: right, name: "own" }, ...overToo]);
    const before = source ? [pane("source", "Source", [{ image: source, name: "own" }])] : [];
    this.panes = [...before, a, b];
    this.root.replaceChildren(...this.panes.map((p) => p.figure));
    this.root.classList.toggle("edit", Boolean(source));
    this.ratio = left.naturalWidth / left.naturalHeight;
    this.root.style.setProperty("--ratio", this.ratio);
    this.pixels = left.naturalWidth;
    this.used = { blinks: 0, source_views: 0, zoom_max: 1 };
    this.blink(false);
    this.source(false);
    this.arrange();
    this.reset();
  }

  // Side by side or one above the other, whichever shows more; the source beside them if all stay large enough.
  arrange() {
    if (this.panes.length === 0) return;
    const { clientWidth: width, clientHeight: height } = this.root;
    const across = (count) => Math.min(width / count, (height - LABEL_HEIGHT) * this.ratio);
    const stacked = Math.min(width, (height / 2 - LABEL_HEIGHT) * this.ratio);
    const all = this.panes.length === 3 && across(3) >= LEAST_WIDTH;
    this.root.classList.toggle("lone", !all);
    this.root.classList.toggle("stacked", !all && stacked > across(2) * 1.1);
  }

  clear(...nodes) {
    this.panes = [];
    this.root.replaceChildren(...nodes);
  }

  blink(on) {
    const now = on && this.panes.length > 0;
    if (now && !this.root.classList.contains("blink")) this.used.blinks += 1;
    this.root.classList.toggle("blink", now);
    this.retag();
  }

  source(on) {
    const now = on && this.root.classList.contains("edit");
    if (now && !this.root.classList.contains("before")) this.used.source_views += 1;
    this.root.classList.toggle("before", now);
    this.retag();
  }

  get showsSource() {
    return this.root.classList.contains("before");
  }

  retag() {
    const blinking = this.root.classList.contains("blink");
    for (const { figure, tag, label } of this.panes) {
      const over = blinking && figure.dataset.side === "a" ? "B" : label;
      tag.textContent = this.showsSource ? "Source" : over;
      figure.classList.toggle("swapped", tag.textContent !== label);
    }
  }

  reset() {
    this.zoom = 1;
    this.x = 0;
    this.y = 0;
    this.apply();
  }

  // Zoom by a factor around the point (u, v) of the picture frame, 0 to 1 each.
  zoomBy(factor, u = 0.5, v = 0.5) {
    if (this.panes.length === 0) return;
    const zoom = Math.min(MOST_ZOOM, Math.max(1, this.zoom * factor));
    this.x = u - ((u - this.x) / this.zoom) * zoom;
    this.y = v - ((v - this.y) / this.zoom) * zoom;
    this.zoom = zoom;
    this.used.zoom_max = Math.max(this.used.zoom_max, Math.round(zoom * 100) / 100);
    this.apply();
  }

  panBy(du, dv) {
    this.x += du;
    this.y += dv;
    this.apply();
  }

  apply() {
    const least = 1 - this.zoom;
    this.x = Math.min(0, Math.max(least, this.x));
    this.y = Math.min(0, Math.max(least, this.y));
    const style = this.root.style;
    style.setProperty("--zoom", this.zoom);
    style.setProperty("--x", `${this.x * 100}%`);
    style.setProperty("--y", `${this.y * 100}%`);
    const width = this.panes[0] ? this.panes[0].frame.clientWidth : 0;
    const magnified = this.pixels ? (width * this.zoom) / this.pixels : 1;
    this.root.classList.toggle("pixels", magnified >= PIXELATED_FROM);
    this.root.classList.toggle("zoomed", this.zoom > 1);
  }

  listen() {
    this.root.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    this.root.addEventListener("pointerdown", (event) => this.onDown(event));
    this.root.addEventListener("pointermove", (event) => this.onMove(event));
    for (const end of ["pointerup", "pointercancel"]) {
      this.root.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    }
    this.root.addEventListener("dblclick", () => (this.zoom > 1 ? this.reset() : this.zoomBy(3)));
  }

  frameAt(event) {
    return event.composedPath().find((node) => node.classList && node.classList.contains("frame"));
  }

  onWheel(event) {
    const frame = this.frameAt(event);
    if (!frame) return;
    event.preventDefault();
    const box = frame.getBoundingClientRect();
    const factor = Math.exp(-Math.sign(event.deltaY) * Math.min(Math.abs(event.deltaY), 120) * 0.002);
    this.zoomBy(factor, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  }

  onDown(event) {
    const frame = this.frameAt(event);
    if (!frame || (event.pointerType === "mouse" && event.button !== 0)) return;
    this.root.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY, box: frame.getBoundingClientRect() });
  }

  onMove(event) {
    const from = this.pointers.get(event.pointerId);
    if (!from) return;
    const others = [...this.pointers.entries()].filter(([id]) => id !== event.pointerId);
    if (others.length > 0) this.pinch(from, event, others[0][1]);
    this.panBy((event.clientX - from.x) / from.box.width, (event.clientY - from.y) / from.box.height);
    this.pointers.set(event.pointerId, { ...from, x: event.clientX, y: event.clientY });
  }

  pinch(from, to, fixed) {
    const before = Math.hypot(from.x - fixed.x, from.y - fixed.y);
    const after = Math.hypot(to.clientX - fixed.x, to.clientY - fixed.y);
    if (before < 1) return;
    const { box } = from;
    this.zoomBy(after / before, (fixed.x - box.left) / box.width, (fixed.y - box.top) / box.height);
  }
}
