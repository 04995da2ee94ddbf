// The chat: puts a question on the server's record and follows the answer's live log; it never builds HTML out of text.
const find = (id) => document.getElementById(id);
const log = find("log"), form = find("composer"), prompt = find("prompt"), model = find("model"), live = find("live");
const send = find("send"), stop = find("stop"), fresh = find("fresh");
const builtin = new Set([...model.options].filter((option) => option.dataset.builtin).map((option) => option.value));
let conversation = log.dataset.conversation || null;
let running = null; // the answer that is being written

const copy = (id) => find(id).content.firstElementChild.cloneNode(true);
const put = (element, text) => { element.textContent = text; element.hidden = !text; };
const seconds = (value) => (value < 1 ? `${Math.ceil(value * 1000)} ms` : `${value.toFixed(value < 10 ? 1 : 0)} s`);

function follow(change) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  change();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function working(yes) {
  send.hidden = yes;
  stop.hidden = !yes;
  fresh.hidden = yes || !conversation;
}

// What is said under an answer that did not come to its end.
function broke({ state, error }) {
  if (state === "stopped") return "Stopped.";
  if (state === "interrupted") return `The answer broke off: ${error} What had arrived is kept.`;
  return state === "failed" ? error : "";
}

class Answer {
  constructor(question) {
    this.question = question;
    this.root = copy("answer");
    this.part = (name) => this.root.querySelector(name);
    this.blocks = this.part(".main").appendChild(document.createTextNode(""));
    this.tail = this.part(".main").appendChild(document.createTextNode(""));
    this.id = null;
    this.source = null;
  }

  take(kind, text) {
    follow(() => {
      if (text) this.part(".waiting").hidden = true;
      if (kind === "tail") this.tail.data = text;
      else if (kind === "block") { this.blocks.appendData(text); this.tail.data = ""; }
      else { this.blocks.data = text; this.tail.data = ""; }
    });
  }

  receipt(turn) {
    put(this.part(".node"), turn.node);
    this.part(".receipt .chip").hidden = !turn.node;
    put(this.part(".model"), turn.model);
    put(this.part(".speed"), turn.tokens_per_s ? `${turn.tokens_per_s.toFixed(1)} tokens/s` : "");
    put(this.part(".wait"), turn.first_token_s === null ? "" : `first word after ${seconds(turn.first_token_s)}`);
    this.part(".receipt ol").replaceChildren(...turn.why.map((line) => {
      const item = document.createElement("li");
      item.textContent = line;
      return item;
    }));
    this.part(".receipt details").hidden = !turn.why.length;
    this.part(".receipt").hidden = !turn.node && !turn.why.length;
    this.part(".note").hidden = !builtin.has(turn.model);
  }

  fail(sentence) {
    this.part(".alert .what").textContent = sentence;
    this.part(".alert").hidden = false;
    this.part(".again").hidden = !this.question;
    this.part(".again").addEventListener("click", () => {
      if (running) return;
      this.root.remove();
      ask(this.question);
    });
  }

  // `turn` is the server's last word; without it, `sentence` says why there is none.
  end(turn, sentence) {
    follow(() => {
      this.root.setAttribute("aria-busy", "false");
      this.part(".waiting").hidden = true;
      if (turn) {
        this.take("whole", turn.text);
        this.receipt(turn);
      }
      const failure = turn ? broke(turn) : sentence;
      if (failure) this.fail(failure);
      live.textContent = failure || `Answer: ${this.blocks.data}`;
    });
    running = null;
    working(false);
    listModels().catch(() => {});
  }

  // The browser connects again by itself and goes on after the last block; only a refusal ends it.
  listen(id) {
    this.id = id;
    this.source = new EventSource(`/hx/answers/${id}`);
    for (const kind of ["block", "tail", "whole"]) {
      this.source.addEventListener(kind, (event) => this.take(kind, JSON.parse(event.data).text));
    }
    this.source.addEventListener("done", (event) => {
      this.source.close();
      this.end(JSON.parse(event.data));
    });
    this.source.addEventListener("error", () => {
      if (this.source.readyState === EventSource.CLOSED) this.end(null, "The answer can’t be followed; reload the page.");
    });
  }
}

async function refusal(response) {
  if (response.status === 401) {
    location.assign("/sign-in");
    return "Your sign-in has ended.";
  }
  try {
    return (await response.json()).message;
  } catch {
    return `The server answered with status ${response.status}.`;
  }
}

async function post(path, body) {
  return fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

async function ask(text) {
  const answer = running = new Answer(text);
  working(true);
  log.append(answer.root);
  log.scrollTop = log.scrollHeight;
  const picked = model.value === "auto" ? "" : model.value;
  try {
    const path = conversation ? `/hx/conversations/${conversation}/ask` : "/hx/conversations";
    const response = await post(path, { text, model: picked });
    if (!response.ok) return answer.end(null, await refusal(response));
    const asked = await response.json();
    conversation = asked.conversation.id;
    history.replaceState(null, "", `/c/${conversation}`);
    answer.listen(asked.answer);
    if (answer.halted) halt();
  } catch {
    answer.end(null, "The server can’t be reached.");
  }
}

function submit(text) {
  if (running || !text.trim()) return;
  find("hello")?.setAttribute("hidden", "");
  const asked = copy("asked");
  asked.firstElementChild.textContent = text;
  log.append(asked);
  prompt.value = "";
  ask(text);
  prompt.focus();
}

function halt() {
  if (running) running.halted = true;
  if (running?.id) post(`/hx/answers/${running.id}/stop`, {}).catch(() => {});
}

async function listModels() {
  const response = await fetch("/hx/models", { headers: { Accept: "application/json" } });
  if (!response.ok) return;
  const picked = model.value;
  const rows = (await response.json()).filter((row) => row.places.some((place) => place.available));
  model.replaceChildren(model.options[0], ...rows.map((row) => {
    if (row.builtin) builtin.add(row.name);
    const places = row.places.filter((place) => place.available);
    return new Option(`${row.name} · ${places.map((p) => `${p.node} (${p.loaded ? "warm" : "cold"})`).join(", ")}`, row.name);
  }));
  model.value = picked;
  if (!model.value) model.selectedIndex = 0;
}

form.addEventListener("submit", (event) => { event.preventDefault(); submit(prompt.value); });
prompt.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  submit(prompt.value);
});
stop.addEventListener("click", () => { halt(); prompt.focus(); });
document.addEventListener("keydown", (event) => { if (event.key === "Escape") halt(); });
listModels().catch(() => {});
fresh.addEventListener("click", () => location.assign("/"));
// An answer that was being written when the page was loaded: go on with it.
for (const place of log.querySelectorAll("[data-answer]")) {
  running = new Answer(place.previousElementSibling?.textContent.trim() ?? "");
  place.replaceWith(running.root);
  running.listen(place.dataset.answer);
}
working(Boolean(running));
log.scrollTop = log.scrollHeight;
const ideas = find("ideas");
if (ideas) {
  ideas.hidden = false;
  ideas.addEventListener("click", (event) => { if (event.target.matches("button")) submit(event.target.textContent); });
}
