// The models of this server, and their answers to one prompt side by side.
"use strict";

const byId = (id) => document.getElementById(id);
const unchecked = new Set();
let running = null; // an AbortController, while answers come

function headers() {
  const key = byId("key").value;
  return { "Content-Type": "application/json", ...(key && { Authorization: `Bearer ${key}` }) };
}

async function call(path, options = {}) {
  const response = await fetch(path, { ...options, headers: headers() });
  if (response.ok) return response;
  if (response.status === 401) byId("key-form").hidden = false;
  const body = await response.json().catch(() => null);
  throw new Error(body?.error?.message ?? `${response.status} ${response.statusText}`);
}

function element(tag, text, className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
}

function size(bytes) {
  const units = ["B", "KB", "MB", "GB"];
  let unit = 0;
  for (; bytes >= 1000 && unit < units.length - 1; ++unit) bytes /= 1000;
  return `${unit === 0 || bytes >= 100 ? Math.round(bytes) : bytes.toFixed(1)} ${units[unit]}`;
}

function showTrouble(error) {
  byId("trouble").textContent = error ? error.message : "";
  byId("trouble").hidden = !error;
}

// ---- Models

function modelRow(model) {
  const row = document.createElement("tr");
  const box = document.createElement("input");
  box.type = "checkbox";
  box.checked = !unchecked.has(model.id);
  box.setAttribute("aria-label", `Ask ${model.id}`);
  box.onchange = () => (box.checked ? unchecked.delete(model.id) : unchecked.add(model.id));
  const name = element("td", model.id);
  if (model.is_base) name.append(" ", element("span", "base", "kind"));
  const { file_bytes, packed_bytes, in_place_bytes, copied_bytes } = model.memory;
  const sizes = [file_bytes, packed_bytes, in_place_bytes, copied_bytes].map((n) => element("td", size(n), "number"));
  row.append(element("td", ""), name, ...sizes, element("td", model.max_context, "number"));
  row.firstChild.append(box);
  row.dataset.model = model.id;
  return row;
}

async function showModels() {
  const found = await (await call("v1/adapters")).json();
  byId("models").replaceChildren(...found.data.map(modelRow));
  const { anonymous_bytes, file_bytes } = found.process;
  byId("process").textContent =
    `The server has ${size(anonymous_bytes)} of its own in memory, and ${size(file_bytes)} of files.`;
  return found;
}

// ---- Answers

// Of a stream of server-sent events, what each has as data.
async function* dataOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let read = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (read + value).split("\n\n");
    read = events.pop();
    for (const event of events) if (event.startsWith("data: ")) yield event.slice(6);
  }
}

function requestFor(model) {
  const prompt = byId("prompt").value;
  const isChat = byId("chat").checked;
  const body = {
    model,
    max_tokens: byId("max-tokens").valueAsNumber,
    temperature: byId("temperature").valueAsNumber,
    seed: byId("seed").valueAsNumber,
    stream: true,
    stream_options: { include_usage: true },
    ...(isChat ? { messages: [{ role: "user", content: prompt }] } : { prompt }),
  };
  return [isChat ? "v1/chat/completions" : "v1/completions", body];
}

async function readAnswer(model, card) {
  const [path, body] = requestFor(model);
  const started = performance.now();
  const response = await call(path, { method: "POST", body: JSON.stringify(body), signal: running.signal });
  for await (const data of dataOf(response)) {
    if (data === "[DONE]") return;
    const event = JSON.parse(data);
    if (event.error) throw new Error(event.error.message);
    const choice = event.choices[0];
    if (choice) card.text.append(choice.text ?? choice.delta.content ?? "");
    if (event.usage) {
      const seconds = (performance.now() - started) / 1000;
      card.state.textContent = `${event.usage.completion_tokens} tokens in ${seconds.toFixed(1)} s`;
    }
  }
}

async function answer(model, card) {
  try {
    await readAnswer(model, card);
    card.root.dataset.state = "ended";
  } catch (error) {
    const isStopped = error.name === "AbortError";
    card.state.textContent = isStopped ? "stopped" : "failed";
    card.root.dataset.state = card.state.textContent;
    if (!isStopped) card.text.append(element("span", error.message, "failed"));
  }
}

function cardFor(model) {
  const root = document.createElement("article");
  const title = element("h3", model);
  const state = element("span", "…", "state");
  const text = element("p", "", "text");
  title.append(state);
  root.append(title, text);
  root.dataset.model = model;
  root.dataset.state = "running";
  return { root, state, text };
}

async function ask(event) {
  event.preventDefault();
  if (running) return;
  const models = [...document.querySelectorAll("#models tr")]
    .map((row) => row.dataset.model)
    .filter((model) => !unchecked.has(model));
  running = new AbortController();
  byId("run").disabled = true;
  byId("stop").disabled = false;
  const cards = models.map(cardFor);
  byId("answers").replaceChildren(...cards.map((card) => card.root));
  await Promise.all(models.map((model, i) => answer(model, cards[i])));
  running = null;
  byId("run").disabled = false;
  byId("stop").disabled = true;
  showModels().catch(showTrouble);
}

async function begin() {
  try {
    const found = await showModels();
    byId("chat").checked = found.has_chat_template;
    byId("chat").disabled = !found.has_chat_template;
    byId("key-form").hidden = true;
    showTrouble(null);
  } catch (error) {
    showTrouble(error);
  }
}

byId("ask").onsubmit = ask;
byId("stop").onclick = () => running?.abort();
byId("key-form").onsubmit = (event) => {
  event.preventDefault();
  begin();
};
begin();
