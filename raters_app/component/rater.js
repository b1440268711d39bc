// The flow: a queue of ballots with their pictures loaded ahead, answers, and on to the next pair at once.
// One instance lives on `window`, so Streamlit may take the component off the page and put it back.

const HOME = "__evalkitRater";
const WELCOMED_KEY = "evalkit.welcomed";
const JOINED_KEY = "evalkit.joined";
const SETTLE_MS = 200;

const KEY_ANSWERS = {
  Digit1: 0, Numpad1: 0, ArrowLeft: 0,
  Digit2: 1, Numpad2: 1, ArrowRight: 1,
  Digit3: 2, Numpad3: 2, ArrowDown: 2,
  Digit4: 3, Numpad4: 3, ArrowUp: 3,
};
const KEY_ZOOMS = { "+": 1.25, "=": 1.25, "-": 0.8, 0: 0 };

class Rater {
  constructor({ title, criteria, min_view_ms }) {
    this.criteria = criteria;
    this.minView = min_view_ms;
    this.queue = [];
    this.known = new Set();
    this.current = null;
    this.asked = [];
    this.answers = {};
    this.broken = 0;
    this.stage = new Stage();
    this.view = new View(title, this.stage, {
      choose: (event, criterion, answer) => this.click(event, criterion, answer),
      help: (open) => this.help(open),
      blink: (on) => this.stage.blink(on),
      source: () => this.toggleSource(),
      zoom: (factor) => this.zoom(factor),
    });
    this.votes = new Votes({
      state: (word, waiting) => this.view.state(word, waiting),
      arrived: (answer) => this.merge(answer),
      refused: (status, vote) => this.refused(status, vote),
    });
    this.listeners = {
      keydown: (event) => this.keydown(event),
      keyup: (event) => this.keyup(event),
      visibilitychange: () => this.clock(),
    };
    this.start();
  }

  attach() {
    this.view.openHelp(Boolean(this.helpOpen));
    Object.entries(this.listeners).forEach(([name, act]) => document.addEventListener(name, act));
  }

  detach() {
    Object.entries(this.listeners).forEach(([name, act]) => document.removeEventListener(name, act));
  }

  async start() {
    this.view.message("Loading…", "The first pair is on its way.", "loading");
    this.view.state("saved", 0);
    if (!recall(WELCOMED_KEY)) this.help(true);
    this.votes.outbox.forEach((vote) => this.known.add(vote.id));
    await this.votes.flush();
    await this.refill();
  }

  // ---- ballots

  async refill() {
    let answer;
    try {
      answer = await this.votes.next();
    } catch (error) {
      if (error.status === 401) this.join();
      else this.view.message("Something went wrong", "Please load this page again. Your answers are safe.", "error");
      return;
    }
    remember(JOINED_KEY, "");
    this.view.state("saved", 0);
    this.merge(answer);
    if (!this.current && this.queue.length === 0) this.finish();
  }

  merge({ ballots, progress }) {
    this.view.progress(progress);
    for (const ballot of ballots.filter((b) => !this.known.has(b.id))) {
      this.known.add(ballot.id);
      this.queue.push(this.prepared(ballot));
    }
    if (!this.current && this.queue.length > 0) this.advance();
  }

  prepared(ballot) {
    const started = performance.now();
    const { left, right, source } = ballot.images;
    const wanted = [loadPicture(left, "Image A"), loadPicture(right, "Image B")];
    if (source) wanted.push(loadPicture(source, "Source image"));
    const item = { ballot, pictures: null, decodeMs: 0 };
    item.ready = Promise.all(wanted).then(([a, b, s]) => {
      item.pictures = { left: a, right: b, source: s };
      item.decodeMs = performance.now() - started;
    });
    item.ready.catch(() => {});
    return item;
  }

  advance(since = performance.now()) {
    this.release(this.current);
    this.current = this.queue.shift() || null;
    this.answers = {};
    this.shownAt = null;
    if (!this.current) {
      this.waitForMore();
    } else if (this.current.pictures) {
      this.put(since);
    } else {
      this.view.message("Loading…", "The next pair is on its way.", "loading");
      this.putWhenReady(this.current, since);
    }
  }

  async putWhenReady(item, since) {
    try {
      await item.ready;
    } catch {
      this.broken += 1;
      if (this.current === item) this.advance(since);
      return;
    }
    if (this.current === item) this.put(since);
  }

  put(since) {
    const { ballot, pictures } = this.current;
    this.asked = this.criteria.filter((c) => ballot.criteria.includes(c.id) && c.tasks.includes(ballot.task));
    this.view.ask(ballot, this.asked);
    this.view.pair(pictures);
    this.seenMs = 0;
    this.visibleSince = null;
    this.input = null;
    this.render();
    requestAnimationFrame(() => requestAnimationFrame(() => this.painted(since)));
  }

  painted(since) {
    performance.measure("evalkit:swap", { start: since, end: performance.now() });
    this.shownAt = performance.now();
    this.clock();
    this.render();
    setTimeout(() => this.render(), Math.max(SETTLE_MS, this.minView) + 5);
  }

  release(item) {
    if (item && item.pictures) {
      Object.values(item.pictures).filter(Boolean).forEach((image) => URL.revokeObjectURL(image.src));
    }
  }

  async waitForMore() {
    this.view.message("Saving…", "One moment.", "loading");
    await this.votes.flush();
    if (!this.current) await this.refill();
  }

  finish() {
    const skipped = this.broken ? ` ${this.broken} could not be shown.` : "";
    this.view.message("All done. Thank you!", `You have rated every pair there is.${skipped} You may close this page.`, "done");
    this.root.classList.add("finished");
  }

  // ---- answers

  get root() {
    return this.view.root;
  }

  get active() {
    return this.asked.findIndex((criterion) => this.answers[criterion.id] === undefined);
  }

  // For how long this pair has been on a visible screen.
  get visibleMs() {
    return this.seenMs + (this.visibleSince === null ? 0 : performance.now() - this.visibleSince);
  }

  // A stray second click of the last pair must not answer this one.
  get enabled() {
    const settled = this.shownAt !== null && performance.now() - this.shownAt >= SETTLE_MS;
    return Boolean(this.current) && settled && this.visibleMs >= this.minView && !this.helpOpen;
  }

  clock() {
    if (this.shownAt === null || !this.current) return;
    this.seenMs = this.visibleMs;
    this.visibleSince = document.visibilityState === "visible" ? performance.now() : null;
  }

  click(event, criterion, answer) {
    if (event.detail > 1) return;
    this.answer(criterion, answer, event.detail === 0 ? "keyboard" : event.pointerType || "mouse");
  }

  answer(criterion, answer, input) {
    const since = performance.now();
    if (!this.enabled) return;
    this.answers[criterion] = answer;
    this.input = input;
    if (this.active >= 0) {
      this.render();
      return;
    }
    this.submit(since);
  }

  submit(since) {
    const { ballot } = this.current;
    const vote = { id: ballot.id, ticket: ballot.ticket, answers: this.answers, client: this.telemetry() };
    this.votes.cast(vote);
    this.advance(since);
    this.view.say("Answer taken. Next pair.");
  }

  telemetry() {
    return {
      visible_ms: Math.round(this.visibleMs),
      input: this.input,
      decode_ms: Math.round(this.current.decodeMs),
      ...this.stage.used,
      viewport_width: window.innerWidth,
      viewport_height: window.innerHeight,
      dpr: window.devicePixelRatio,
    };
  }

  refused(status, vote) {
    if (status === 401) {
      this.join();
    } else if (status === 410 || status === 422) {
      // Too old or too soon: the server will hand the pair out again.
      this.known.delete(vote.id);
    }
  }

  join() {
    if (recall(JOINED_KEY)) {
      this.view.message("Cookies are off", "Please allow cookies for this page, then load it again.", "error");
      return;
    }
    remember(JOINED_KEY, "1");
    window.location.replace("/join");
  }

  // ---- what the rater does besides answering

  render() {
    if (this.current) this.view.update(this.answers, this.active, this.enabled);
  }

  help(open) {
    this.helpOpen = open;
    if (!open) remember(WELCOMED_KEY, "1");
    this.view.openHelp(open);
    this.render();
  }

  toggleSource() {
    this.stage.source(!this.stage.showsSource);
    this.render();
  }

  zoom(factor) {
    if (factor) this.stage.zoomBy(factor);
    else this.stage.reset();
  }

  keydown(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || typing(event)) return;
    if (this.helpOpen) {
      if (event.code === "Escape" || event.code === "KeyH") this.handled(event, () => this.help(false));
      return;
    }
    if (event.code === "Space" && !onFocusedButton(event)) {
      event.preventDefault();
      if (!event.repeat) this.stage.blink(true);
    } else if (event.key in KEY_ZOOMS) {
      this.handled(event, () => this.zoom(KEY_ZOOMS[event.key]), true);
    } else if (event.code in KEY_ANSWERS && !event.shiftKey) {
      this.handled(event, () => this.answerByKey(KEY_ANSWERS[event.code]));
    } else if (event.code === "KeyS") {
      this.handled(event, () => this.toggleSource());
    } else if (event.code === "KeyH" || event.key === "?") {
      this.handled(event, () => this.help(true));
    }
  }

  // A held key repeats; what must happen once happens on the first press only.
  handled(event, act, repeats = false) {
    event.preventDefault();
    if (!event.repeat || repeats) act();
  }

  keyup(event) {
    if (event.code !== "Space" || this.helpOpen) return;
    if (!onFocusedButton(event)) event.preventDefault();
    this.stage.blink(false);
  }

  answerByKey(number) {
    const criterion = this.asked[this.active];
    const answer = ANSWERS[number].id;
    if (criterion && criterion.answers.includes(answer)) this.answer(criterion.id, answer, "keyboard");
  }
}

function typing(event) {
  const target = event.composedPath()[0];
  return Boolean(target && target.closest && target.closest("input, textarea, select, [contenteditable]"));
}

// Somebody who moves by Tab expects Space to press the button they are on.
function onFocusedButton(event) {
  const target = event.composedPath()[0];
  return Boolean(target && target.matches && target.matches("button:focus-visible"));
}

export default function mount({ parentElement, data }) {
  const rater = (window[HOME] ??= new Rater(data));
  const host = parentElement.querySelector(".host");
  const visit = {};
  rater.visit = visit;
  host.replaceChildren(rater.root);
  rater.attach();
  return () => {
    // Streamlit may mount the new place before it leaves the old one.
    if (rater.visit === visit) rater.detach();
  };
}
