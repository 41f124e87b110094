// The log of a build as a window on all of its lines: those that are seen are elements, and no others. It needs stream of live.js.
"use strict";

const chunkSize = 500; // lines that are asked for at once
const maxChunks = 60; // that are kept
const beyond = 25; // rows above and below what is seen
const maxHeight = 10_000_000; // pixels: browsers have a limit

// Rows are the lines that are not folded away. Runs are lines that follow one another and are output of one step, or of none.
class Rows {
  constructor(runs) {
    this.runs = []; // {step, first, lines, row}: row is that of the first line
    this.folded = new Set();
    this.lines = 0;
    for (const [step, lines] of runs) this.add(step, lines);
  }
  shown(run) { return this.folded.has(run.step) ? 0 : run.lines; }
  get count() {
    const last = this.runs.at(-1);
    return last ? last.row + this.shown(last) : 0;
  }
  add(step, lines) {
    const last = this.runs.at(-1);
    if (last && last.step === step) last.lines += lines;
    else this.runs.push({step, first: this.lines + 1, lines, row: this.count});
    this.lines += lines;
  }
  fold(steps, isFolded) {
    for (const step of steps) if (isFolded) this.folded.add(step);
    else this.folded.delete(step);
    let row = 0;
    for (const run of this.runs) {
      run.row = row;
      row += this.shown(run);
    }
  }
  // last finds the last run for which a number is not above another.
  last(value, of) {
    let low = 0, high = this.runs.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (of(this.runs[middle]) <= value) low = middle;
      else high = middle;
    }
    return low;
  }
  lineAt(row) {
    let at = this.last(row, (run) => run.row);
    while (at > 0 && this.shown(this.runs[at]) === 0) at--;
    return this.runs[at].first + row - this.runs[at].row;
  }
  stepAt(line) { return this.runs[this.last(line, (run) => run.first)].step; }
  rowOf(line) {
    const run = this.runs[this.last(line, (one) => one.first)];
    return run.row + Math.min(line - run.first, Math.max(0, this.shown(run) - 1));
  }
}

// Lines keeps what was asked for, in chunks.
class Lines {
  constructor(at) {
    this.at = at;
    this.changed = () => {};
    this.chunks = new Map(); // the longest unused first
    this.asked = new Set();
  }
  get(line) {
    const index = Math.floor((line - 1) / chunkSize);
    const chunk = this.chunks.get(index);
    const found = chunk && chunk[(line - 1) % chunkSize];
    if (found) {
      this.chunks.delete(index);
      this.chunks.set(index, chunk);
      return found;
    }
    this.ask(index);
    return null;
  }
  // around asks for what is seen with a line.
  around(line) {
    const index = Math.floor((line - 1) / chunkSize);
    return Promise.all([index - 1, index, index + 1].filter((one) => one >= 0).map((one) => this.ask(one)));
  }
  put(index, chunk) {
    this.chunks.delete(index);
    this.chunks.set(index, chunk);
    while (this.chunks.size > maxChunks) this.chunks.delete(this.chunks.keys().next().value);
  }
  async ask(index) {
    if (this.asked.has(index)) return;
    this.asked.add(index);
    try {
      const response = await fetch(this.at + "/lines?from=" + (index * chunkSize + 1));
      if (response.ok) {
        const chunk = await response.json();
        if (chunk.length >= (this.chunks.get(index) || []).length) this.put(index, chunk);
      }
    } finally {
      setTimeout(() => this.asked.delete(index), 500); // an answer that lacked what is shown is asked for again
      this.changed();
    }
  }
  append(line, data) {
    const index = Math.floor((line - 1) / chunkSize), place = (line - 1) % chunkSize;
    const chunk = this.chunks.get(index) || [];
    if (chunk.length === place) {
      chunk.push(data);
      this.put(index, chunk);
    }
  }
}

const language = document.documentElement.lang;
const numeral = (n) => n.toLocaleString(language, {useGrouping: false});

function clock(millis) {
  const two = (n) => String(Math.floor(n)).padStart(2, "0");
  const s = millis / 1000;
  const text = two(s % 60) + "." + Math.floor(millis / 100) % 10;
  return s < 3600 ? Math.floor(s / 60) + ":" + text : Math.floor(s / 3600) + ":" + two(s / 60 % 60) + ":" + text;
}

function pieces(parts) {
  return parts.map((part) => {
    const isLink = /^https?:\/\//.test(part.h || "");
    const piece = document.createElement(isLink ? "a" : "span");
    piece.textContent = part.t;
    if (part.c) piece.className = part.c;
    if (isLink) {
      piece.href = part.h;
      piece.rel = "noopener noreferrer nofollow";
    }
    return piece;
  });
}

const lineOfHash = () => Number((/^#L(\d+)$/.exec(location.hash) || [0, 0])[1]);

class LogWindow {
  constructor(list, outline, lines, first) {
    const {at, follow} = list.dataset;
    this.tools = document.getElementById("logtools");
    this.rows = new Rows(outline.runs);
    this.lines = lines;
    this.lines.changed = () => this.draw();
    this.marked = new Set();
    this.target = 0;
    this.build(list);
    this.connect(at);
    if (follow) {
      this.view.dataset.follow = follow;
      this.view.dataset.last = this.rows.lines;
      this.follow();
    }
    if (first) this.goTo(first, lineOfHash() > 0);
    else this.toEnd();
    this.redraw();
  }
  build(list) {
    this.view = document.createElement("div");
    this.view.id = "log";
    this.view.className = list.className + " window";
    this.view.tabIndex = 0;
    this.view.setAttribute("aria-label", list.getAttribute("aria-label"));
    this.view.setAttribute("role", "region");
    this.foldLabel = list.dataset.fold;
    this.space = document.createElement("div");
    this.list = document.createElement("ol");
    this.space.append(this.list);
    this.view.append(this.space);
    list.replaceWith(this.view);
    for (const pager of document.querySelectorAll(".logpager")) pager.hidden = true;
    const probe = document.createElement("li");
    probe.textContent = "0";
    this.list.append(probe);
    this.height = probe.getBoundingClientRect().height || 20;
    probe.remove();
    this.drawing = false;
    this.view.addEventListener("scroll", () => {
      if (this.tail) this.tail.checked = this.atEnd();
      this.draw();
    });
    window.addEventListener("resize", () => this.draw());
    window.addEventListener("hashchange", () => {
      if (lineOfHash()) this.goTo(lineOfHash());
    });
  }
  get total() { return Math.min(maxHeight, this.rows.count * this.height); }
  atEnd() { return this.view.scrollTop + this.view.clientHeight >= this.view.scrollHeight - this.height; }
  // topRow is the row at the window's top. Where there are more rows than pixels a browser has, it is by proportion.
  topRow() {
    const hidden = Math.max(1, this.total - this.view.clientHeight);
    const rows = Math.max(0, this.rows.count - this.view.clientHeight / this.height);
    return Math.min(1, this.view.scrollTop / hidden) * rows;
  }
  toRow(row) {
    const rows = Math.max(1, this.rows.count - this.view.clientHeight / this.height);
    this.size();
    this.view.scrollTop = Math.min(1, row / rows) * Math.max(0, this.total - this.view.clientHeight);
    this.draw();
  }
  toEnd() { this.toRow(this.rows.count); }
  goTo(line, isTarget = true) {
    if (!(line >= 1 && line <= this.rows.lines)) return;
    if (isTarget) {
      this.target = line;
      const step = this.rows.stepAt(line);
      if (this.rows.folded.has(step)) this.fold([step], false);
    }
    this.toRow(Math.max(0, this.rows.rowOf(line) - 3));
    if (isTarget) this.view.scrollIntoView({block: "nearest"});
  }
  size() { this.space.style.height = this.total + "px"; }
  draw() {
    if (this.drawing) return;
    this.drawing = true;
    requestAnimationFrame(() => {
      this.drawing = false;
      this.redraw();
    });
  }
  redraw() {
    this.size();
    const top = this.topRow();
    const first = Math.max(0, Math.floor(top) - beyond);
    const last = Math.min(this.rows.count, Math.ceil(top + this.view.clientHeight / this.height) + beyond);
    const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.folds : null;
    const shown = document.createDocumentFragment();
    for (let row = first; row < last; row++) shown.append(this.row(this.rows.lineAt(row)));
    this.list.replaceChildren(shown);
    this.list.style.insetBlockStart = (this.view.scrollTop - (top - first) * this.height) + "px";
    if (focused) {
      const button = this.list.querySelector(`button[data-folds="${focused}"]`);
      if (button) button.focus({preventScroll: true});
    }
  }
  row(number) {
    const line = this.lines.get(number);
    const item = document.createElement("li");
    const anchor = document.createElement("a");
    item.id = "L" + number;
    anchor.href = "#L" + number;
    anchor.textContent = number;
    item.append(anchor);
    if (number === this.target) item.classList.add("target");
    if (this.marked.has(number)) item.classList.add("marked");
    if (!line) {
      item.append("…");
      return item;
    }
    const at = document.createElement("span");
    at.className = "at";
    at.textContent = clock(line.o);
    const text = document.createElement("span");
    text.className = "text";
    text.append(...pieces(line.p));
    item.append(at);
    if (line.k === "begin") item.append(this.folder(line.s));
    item.append(text);
    return item;
  }
  folder(step) {
    const button = document.createElement("button");
    const isOpen = !this.rows.folded.has(step);
    button.type = "button";
    button.dataset.folds = step;
    button.setAttribute("aria-expanded", isOpen);
    button.setAttribute("aria-label", this.foldLabel.replace("0", numeral(step)));
    button.textContent = isOpen ? "▾" : "▸";
    button.addEventListener("click", () => this.fold([step], isOpen));
    return button;
  }
  fold(steps, isFolded) {
    const line = this.rows.count ? this.rows.lineAt(Math.floor(this.topRow())) : 0;
    this.rows.fold(steps, isFolded);
    if (line) this.toRow(this.rows.rowOf(line));
  }
  connect(at) {
    const tools = this.tools;
    for (const hidden of tools.querySelectorAll("[data-scripted]")) hidden.hidden = false;
    tools.elements.times.addEventListener("change", () => this.view.classList.toggle("times", tools.elements.times.checked));
    this.tail = tools.elements.tail;
    this.tail.addEventListener("change", () => { if (this.tail.checked) this.toEnd(); });
    tools.elements.foldall.addEventListener("click", () => {
      const steps = new Set(this.rows.runs.map((run) => run.step));
      steps.delete(0);
      this.fold(steps, this.rows.folded.size === 0);
    });
    tools.addEventListener("submit", (event) => {
      event.preventDefault();
      this.find(at, tools.elements.q.value);
    });
    tools.elements.previous.addEventListener("click", () => this.step(-1));
    tools.elements.following.addEventListener("click", () => this.step(1));
    document.addEventListener("click", async (event) => {
      const link = event.target.closest && event.target.closest("a[data-step]");
      if (!link) return;
      event.preventDefault();
      const index = this.rows.runs.findLastIndex((run) => run.step === Number(link.dataset.step));
      if (index >= 0) this.goTo(Math.max(1, this.rows.runs[index].first - 1));
      else location.href = link.href;
    });
  }
  async find(at, text) {
    const said = document.getElementById("found");
    if (text && text === this.sought) {
      this.step(1);
      return;
    }
    this.sought = text;
    this.matches = [];
    this.more = false;
    if (text) {
      const response = await fetch(at + "/find?q=" + encodeURIComponent(text));
      if (response.ok && text === this.sought) {
        const found = await response.json();
        this.matches = found.lines;
        this.more = found.next > 0;
      }
    }
    this.marked = new Set(this.matches);
    this.match = -1;
    if (this.matches.length) this.step(1);
    else {
      said.textContent = text ? said.dataset.none : "";
      this.draw();
    }
  }
  step(by) {
    if (!this.matches || !this.matches.length) return;
    this.match = (this.match + by + this.matches.length) % this.matches.length;
    const said = document.getElementById("found");
    said.textContent = numeral(this.match + 1) + " / " + numeral(this.matches.length) + (this.more ? "+" : "");
    this.goTo(this.matches[this.match]);
  }
  follow() {
    document.getElementById("live").hidden = false;
    let waiting = false;
    const add = () => {
      waiting = false;
      if (this.tail.checked) this.toEnd();
      else this.draw();
    };
    this.tail.checked = true;
    const steps = new StepTable();
    stream(this.view, (event) => {
      const number = Number(event.lastEventId);
      if (number !== this.rows.lines + 1) return;
      const line = JSON.parse(event.data);
      this.rows.add(line.k === "output" ? line.s : 0, 1);
      this.lines.append(number, line);
      steps.hear(line);
      if (!waiting) {
        waiting = true;
        setTimeout(add, 50);
      }
    }, () => location.reload());
  }
}

// StepTable adds the steps that begin while the page is open, and how they end; the page has the others, and draws them when it is loaded.
class StepTable {
  constructor() { this.table = document.getElementById("steps"); }
  hear(line) {
    if (!this.table || !line.s || line.k === "output") return;
    const text = line.p.map((part) => part.t).join("").replace(/^#\d+ /, "");
    if (line.k === "begin" || line.k === "whole") this.begin(line.s, text.replace(/ CACHED$/, ""));
    if (line.k === "end" || line.k === "whole") {
      const row = this.table.querySelector(`tr[data-number="${line.s}"]`);
      if (!row) return;
      row.classList.remove("running");
      row.lastElementChild.textContent = line.k === "whole" || text === "CACHED" ? this.table.dataset.cached : text.replace(/^done /, "");
    }
  }
  begin(number, name) {
    const old = this.table.querySelector(`tr[data-number="${number}"]`);
    const row = document.createElement("tr");
    row.className = "running";
    row.dataset.number = number;
    const step = document.createElement("td");
    const code = document.createElement("code");
    code.dir = "ltr";
    code.textContent = name;
    step.append(numeral(number) + ". ", code);
    const took = document.createElement("td");
    took.dir = "auto";
    took.textContent = this.table.dataset.running;
    row.append(step, document.createElement("td"), took);
    if (old) old.replaceWith(row);
    else this.table.append(row);
  }
}

(async () => {
  const list = document.getElementById("log");
  if (!list) return;
  const {at, last} = list.dataset;
  const response = await fetch(at + "/outline");
  if (!response.ok) return; // the page is good without it
  const outline = await response.json();
  const first = lineOfHash() || (new URLSearchParams(location.search).has("from") ? Number(last) : 0);
  const lines = new Lines(at);
  await lines.around(Math.max(1, first || outline.lines));
  new LogWindow(list, outline, lines, first);
})();
