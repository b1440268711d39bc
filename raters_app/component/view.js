// Everything on the screen but the pictures. Texts come in as text nodes only: a prompt is never markup.

const ANSWERS = [
  { id: "left", label: "A", keys: "1 ArrowLeft" },
  { id: "right", label: "B", keys: "2 ArrowRight" },
  { id: "tie", label: "Tie", keys: "3 ArrowDown" },
  { id: "both_bad", label: "Both bad", keys: "4 ArrowUp" },
];

const KEYS = [
  ["1 or ←", "A is better"],
  ["2 or →", "B is better"],
  ["3 or ↓", "about equal"],
  ["4 or ↑", "neither is any good"],
  ["Space, held", "B in the place of A"],
  ["S", "the source in the place of both (edits)"],
  ["+  −  0", "zoom in, out, fit; wheel and drag work too"],
  ["H", "this help"],
];

function button(className, label, action, extra = {}) {
  const node = make("button", className, label);
  node.type = "button";
  Object.entries(extra).forEach(([name, value]) => node.setAttribute(name, value));
  node.addEventListener("click", action);
  return node;
}

function answerButton(answer, number, choose) {
  const hint = make("kbd", "", String(number));
  hint.setAttribute("aria-hidden", "true");
  const node = button("answer", "", (event) => choose(event, answer.id), {
    "aria-pressed": "false",
    "aria-keyshortcuts": answer.keys,
    "data-answer": answer.id,
  });
  node.append(make("span", "", answer.label), hint);
  return node;
}

class QuestionRow {
  constructor(criterion, choose) {
    this.id = criterion.id;
    this.text = criterion.question;
    const question = make("span", "question", criterion.question);
    const offered = ANSWERS.filter((answer) => criterion.answers.includes(answer.id));
    this.buttons = offered.map((a) => answerButton(a, ANSWERS.indexOf(a) + 1, choose));
    this.root = make("div", "row", question, make("div", "answers", ...this.buttons));
    this.root.setAttribute("role", "group");
    this.root.setAttribute("aria-label", criterion.question);
    this.root.dataset.criterion = criterion.id;
  }

  update(answer, active, enabled) {
    this.root.classList.toggle("active", active && enabled);
    this.root.classList.toggle("answered", answer !== undefined);
    for (const node of this.buttons) {
      node.disabled = !enabled;
      node.setAttribute("aria-pressed", String(node.dataset.answer === answer));
    }
  }
}

function helpPanel(close) {
  const list = make("dl", "keys");
  for (const [key, meaning] of KEYS) list.append(make("dt", "", key), make("dd", "", meaning));
  const done = button("primary", "Start rating", close);
  const panel = make(
    "div",
    "panel",
    make("h2", "", "Which of two pictures is better?"),
    make("p", "", "Two pictures were made for the same request. Read it, look at both, and answer each "
      + "question on its own. There are no right answers: your eye is what counts."),
    make("p", "", "The next pair comes as soon as the last question is answered. Sides are random. You may "
      + "stop at any time and come back later; what you have answered is saved."),
    list,
    done,
  );
  panel.setAttribute("role", "dialog");
  panel.setAttribute("aria-modal", "true");
  panel.setAttribute("aria-label", "How to rate");
  return { root: make("div", "veil", panel), focus: done };
}

class View {
  // `on` has: choose(event, criterion, answer), help(open), blink(on), source(), zoom(factor or 0).
  constructor(title, stage, on) {
    this.on = on;
    this.stage = stage;
    this.count = make("span", "count");
    this.fill = make("div", "fill");
    this.meter = make("div", "meter", this.fill);
    this.meter.setAttribute("role", "progressbar");
    this.meter.setAttribute("aria-label", "Pairs rated");
    this.saving = make("span", "saving");
    this.requestKind = make("span", "kind");
    this.requestText = make("p", "text");
    this.requestText.dir = "auto";
    this.rows = [];
    this.questions = make("div", "questions");
    this.live = make("div", "unseen");
    this.live.setAttribute("role", "status");
    this.help = helpPanel(() => on.help(false));
    this.tools = this.toolbar();
    this.request = make("div", "request", this.requestKind, this.requestText, this.tools);
    const middle = make("div", "middle", stage.root);
    this.root = make("main", "rater", this.bar(title), this.request, middle, this.questions, this.live, this.help.root);
    this.root.lang = "en";
  }

  bar(title) {
    const help = button("plain", "Help", () => this.on.help(true), { "aria-keyshortcuts": "H" });
    return make("header", "bar", make("h1", "", title), this.meter, this.count, this.saving, help);
  }

  toolbar() {
    const hold = button("tool", "A ⇄ B", () => {}, { title: "Hold: B in the place of A (Space)", "aria-label": "Hold to see B in the place of A" });
    hold.addEventListener("pointerdown", () => this.on.blink(true));
    for (const end of ["pointerup", "pointerleave", "pointercancel"]) {
      hold.addEventListener(end, () => this.on.blink(false));
    }
    this.sourceTool = button("tool", "Source", () => this.on.source(), { title: "Source in the place of both (S)", "aria-pressed": "false" });
    const zoom = [["−", 1 / 1.5, "Zoom out"], ["Fit", 0, "Fit"], ["+", 1.5, "Zoom in"]].map(([label, factor, name]) =>
      button("tool", label, () => this.on.zoom(factor), { "aria-label": name, title: name }));
    return make("div", "tools", hold, this.sourceTool, ...zoom);
  }

  // Put up a ballot's words and questions; `criteria` are those that apply, in order.
  ask(ballot, criteria) {
    this.requestKind.textContent = ballot.task === "edit" ? "Instruction" : "Prompt";
    this.requestText.textContent = ballot.prompt;
    if (criteria.map((c) => c.question).join() !== this.rows.map((row) => row.text).join()) this.put(criteria);
    this.root.classList.toggle("editing", ballot.task === "edit");
  }

  put(criteria) {
    this.rows = criteria.map((c) => new QuestionRow(c, (event, answer) => this.on.choose(event, c.id, answer)));
    this.questions.replaceChildren(...this.rows.map((row) => row.root));
  }

  update(answers, active, enabled) {
    this.rows.forEach((row, n) => row.update(answers[row.id], n === active, enabled));
    this.sourceTool.setAttribute("aria-pressed", String(this.stage.showsSource));
  }

  progress({ done, total }) {
    this.count.textContent = `${done} of ${total}`;
    this.fill.style.width = `${total ? (100 * done) / total : 0}%`;
    this.meter.setAttribute("aria-valuenow", done);
    this.meter.setAttribute("aria-valuemax", total);
  }

  state(word, waiting) {
    const texts = { saved: "Saved", saving: "Saving…", offline: waiting ? `Offline · ${waiting} waiting` : "Offline" };
    this.saving.textContent = texts[word];
    this.saving.dataset.state = word;
  }

  // A message in the place of the pictures; the questions go away.
  message(title, text, name) {
    this.stage.clear(make("div", `message ${name}`, make("h2", "", title), make("p", "", text)));
    this.root.classList.add("quiet");
    this.rows = [];
    this.questions.replaceChildren();
    this.say(`${title} ${text}`);
  }

  pair(pictures) {
    this.root.classList.remove("quiet");
    this.stage.show(pictures);
  }

  openHelp(open) {
    this.help.root.classList.toggle("open", open);
    for (const part of this.root.children) part.inert = open && part !== this.help.root;
    if (open) this.help.focus.focus();
    else this.help.focus.textContent = "Go on";
  }

  say(text) {
    this.live.textContent = text;
  }
}
