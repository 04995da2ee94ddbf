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

// Elements out of the server's tree: Markdown that it has rendered and cleaned.
function build(node) {
  if (typeof node === "string") return document.createTextNode(node);
  const [tag, attributes, ...inside] = node;
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...inside.map(build));
  return element;
}

class Answer {
  constructor() {
    this.root = copy("answer");
    this.part = (name) => this.root.querySelector(name);
    this.tail = this.part(".tail").appendChild(document.createTextNode(""));
    this.id = null;
    this.source = null;
  }

  // Finished blocks are read aloud, the growing rest is not.
  take({ text, nodes }) {
    follow(() => {
      if (text) this.part(".waiting").hidden = true;
      this.tail.data = nodes ? "" : text;
      if (!nodes) return;
      this.part(".main").append(...nodes.map(build));
      live.textContent = text;
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

  // `turn` is the server's last word; without it, `sentence` says why there is none.
  end(turn, sentence) {
    const failure = turn ? broke(turn) : sentence;
    follow(() => {
      this.root.setAttribute("aria-busy", "false");
      this.part(".waiting").hidden = true;
      live.textContent = failure || this.tail.data || "That is the whole answer.";
      if (turn) {
        this.part(".main").replaceChildren(...turn.nodes.map(build));
        this.tail.data = "";
        this.receipt(turn);
        this.offer(Boolean(failure), turn.text);
      }
      put(this.part(".alert"), failure);
    });
    running = null;
    working(false);
    listModels().catch(() => {});
  }

  offer(failed, text) {
    this.part("[name=answer]").value = this.id;
    if (failed) this.part("[value=regenerate]").textContent = "Try again";
    this.part("[value=continue]").hidden = !failed || !text;
    this.part(".redo").hidden = form.hidden; // who may not ask may not ask again
  }

  // The browser connects again by itself and goes on after the last block; only a refusal ends it.
  listen(id) {
    this.id = id;
    this.source = new EventSource(`/hx/answers/${id}?rendered=1`);
    for (const kind of ["block", "tail"]) {
      this.source.addEventListener(kind, (event) => this.take(JSON.parse(event.data)));
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

// What the server says to `body`; throws the sentence that says why not.
async function post(path, body) {
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(path, options).catch(() => { throw new Error("The server can’t be reached."); });
  if (!response.ok) throw new Error(await refusal(response));
  return response.json();
}

async function submit(text) {
  if (running || !text.trim()) return;
  find("hello")?.setAttribute("hidden", "");
  const asked = copy("asked"), answer = running = new Answer();
  asked.firstElementChild.textContent = text;
  working(true);
  log.append(asked, answer.root);
  log.scrollTop = log.scrollHeight;
  prompt.value = "";
  prompt.focus();
  try {
    const path = conversation ? `/hx/conversations/${conversation}/ask` : "/hx/conversations";
    const begun = await post(path, { text, model: model.value });
    conversation = begun.conversation.id;
    history.replaceState(null, "", `/c/${conversation}`);
    answer.listen(begun.answer);
    if (answer.halted) halt();
  } catch (failure) {
    asked.remove(); // it is on no record; its text is where it can be sent again
    prompt.value ||= text;
    answer.end(null, failure.message);
  }
}

// Another answer, or more of this one: it begins on the server, and the page is drawn anew around it.
async function redo(form, how) {
  if (running) return;
  form.hidden = true;
  try {
    const begun = await post(`/hx/answers/${form.elements.answer.value}/${how}`, how === "regenerate" ? { model: model.value } : {});
    location.assign(`/c/${begun.conversation.id}`);
  } catch (failure) {
    form.hidden = false;
    put(form.parentElement.querySelector(".alert"), failure.message);
    live.textContent = failure.message;
  }
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

log.addEventListener("submit", (event) => {
  if (!event.target.matches(".redo")) return;
  event.preventDefault();
  redo(event.target, event.submitter.value);
});
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
  running = new Answer();
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
