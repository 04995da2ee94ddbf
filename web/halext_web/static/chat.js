// The chat: sends the conversation, shows the answer as it comes, and never builds HTML out of text.
const find = (id) => document.getElementById(id);
const log = find("log"), form = find("composer"), prompt = find("prompt"), model = find("model"), live = find("live");
const send = find("send"), stop = find("stop"), fresh = find("fresh");
const builtin = new Set([...model.options].filter((option) => option.dataset.builtin).map((option) => option.value));
let messages = [];
let running = null;

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
  fresh.hidden = yes || !messages.length;
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = "";;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line.startsWith("data: ")) yield line.slice(6);
  }
}

class Answer {
  constructor() {
    this.root = copy("answer");
    this.part = (name) => this.root.querySelector(name);
    this.text = this.part(".main").appendChild(document.createTextNode(""));
    this.thoughts = this.part(".thinking .text").appendChild(document.createTextNode(""));
  }

  take({ content, reasoning_content: thought }) {
    follow(() => {
      if (thought) {
        this.part(".thinking").hidden = false;
        this.part(".waiting .what").textContent = "Thinking…";
        this.thoughts.appendData(thought);
      }
      if (content) {
        this.part(".waiting").hidden = true;
        this.text.appendData(content);
      }
    });
  }

  receipt(info) {
    if (!info) return;
    put(this.part(".node"), info.node || "");
    this.part(".receipt .chip").hidden = !info.node;
    put(this.part(".model"), info.model);
    put(this.part(".speed"), info.tokens_per_s ? `${info.tokens_per_s.toFixed(1)} tokens/s` : "");
    put(this.part(".wait"), info.first_token_s === null ? "" : `first word after ${seconds(info.first_token_s)}`);
    this.part(".receipt ol").replaceChildren(...info.why.map((line) => {
      const item = document.createElement("li");
      item.textContent = line;
      return item;
    }));
    this.part(".receipt details").hidden = !info.why.length;
    this.part(".receipt").hidden = false;
    this.part(".note").hidden = !builtin.has(info.model);
  }

  fail(sentence, again) {
    this.part(".alert .what").textContent = sentence;
    this.part(".alert").hidden = false;
    this.part(".again").addEventListener("click", again);
  }

  end({ info, failure }, again) {
    this.root.setAttribute("aria-busy", "false");
    this.part(".waiting").hidden = true;
    this.receipt(info);
    if (failure) this.fail(failure, again);
    live.textContent = failure || `Answer: ${this.text.data}`;
  }
}

// The words for an error, whichever shape it comes in.
function sentence(error) {
  if (error.code === "interrupted") return `The answer broke off: ${error.message} What had arrived is kept.`;
  return error.message || "That did not work.";
}

async function refusal(response) {
  if (response.status === 401) {
    location.assign("/sign-in");
    return "Your sign-in has ended.";
  }
  try {
    return sentence((await response.json()).error);
  } catch {
    return `The server answered with status ${response.status}.`;
  }
}

async function receive(response, answer) {
  let info = null, failure = null, whole = false;
  for await (const data of events(response.body)) {
    if (data === "[DONE]") { whole = true; continue; }
    const event = JSON.parse(data);
    info = event.halext || info;
    if (event.error) failure = sentence(event.error);
    else if (event.choices?.[0]) answer.take(event.choices[0].delta);
  }
  if (!whole && !failure) failure = "The connection broke before the answer was whole. What had arrived is kept.";
  return { info, failure };
}

async function ask() {
  const answer = new Answer(), stopper = new AbortController();
  const again = () => { answer.root.remove(); messages = before; ask(); };
  const before = messages.slice();
  running = stopper;
  working(true);
  log.append(answer.root);
  log.scrollTop = log.scrollHeight;
  let end;
  try {
    const response = await fetch("/v1/chat/completions", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ model: model.value, stream: true, messages }),
      signal: stopper.signal,
    });
    const { info, failure } = response.ok ? await receive(response, answer) : { failure: await refusal(response) };
    end = { info, failure };
  } catch {
    end = { failure: stopper.signal.aborted ? "Stopped." : "The server can’t be reached." };
  }
  if (answer.text.data) messages.push({ role: "assistant", content: answer.text.data });
  follow(() => answer.end(end, again));
  running = null;
  working(false);
  listModels().catch(() => {});
}

function submit(text) {
  if (running || !text.trim()) return;
  find("hello")?.setAttribute("hidden", "");
  const asked = copy("asked");
  asked.firstElementChild.textContent = text;
  log.append(asked);
  messages.push({ role: "user", content: text });
  prompt.value = "";
  ask();
  prompt.focus();
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
stop.addEventListener("click", () => { running?.abort(); prompt.focus(); });
document.addEventListener("keydown", (event) => { if (event.key === "Escape") running?.abort(); });
listModels().catch(() => {});
fresh.addEventListener("click", () => {
  messages = [];
  for (const turn of log.querySelectorAll(".turn")) turn.remove();
  find("hello")?.removeAttribute("hidden");
  working(false);
  prompt.focus();
});
const ideas = find("ideas");
if (ideas) {
  ideas.hidden = false;
  ideas.addEventListener("click", (event) => { if (event.target.matches("button")) submit(event.target.textContent); });
}
