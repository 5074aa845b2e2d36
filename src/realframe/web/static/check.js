// The page Check: files are sent one after the other, and each is followed until it is done.

import { follow, share, words } from "./steps.js";

const SENDERS = 2; // at a time; a browser opens six connections to a server, and another tab wants some
const FOLLOWERS = 2;
const SENDING = 0.25; // of the bar
const LATER = new Set([429, 503]);
const TRIES = 40;
const VERDICTS = { real: "real", "ai-generated": "AI-generated", uncertain: "uncertain", "not scored": "not scored" };

const form = document.querySelector("#check");
const input = form.querySelector("input[type=file]");
const working = document.querySelector("#working");
const list = working.querySelector("ol");
const table = document.querySelector("#table");
const live = document.querySelector("#live");
const largest = Number(form.dataset.largest);
document.documentElement.classList.add("scripted");
input.multiple = true;

input.addEventListener("change", () => {
  if (input.files.length) begin([...input.files]);
  form.reset();
});
form.addEventListener("submit", (event) => event.preventDefault());
let inside = 0;
form.addEventListener("dragenter", () => form.classList.toggle("over", ++inside > 0));
form.addEventListener("dragleave", () => form.classList.toggle("over", --inside > 0));
for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault()); // a missed drop must not leave the page
window.addEventListener("drop", (event) => {
  inside = 0;
  form.classList.remove("over");
  const files = [...(event.dataTransfer?.files ?? [])];
  if (files.length) begin(files);
});

let sending = 0;
window.addEventListener("beforeunload", (event) => sending && event.preventDefault());

async function begin(files) {
  const batch = files.length > 1 ? hex(8) : "";
  const rows = files.map((file) => new Row(file));
  working.hidden = false;
  table.hidden = !batch;
  if (batch) table.querySelector("a").href = `/batches/${batch}`;
  const sent = [];
  sending += 1;
  const arrived = pool(SENDERS, rows, async (row) => {
    if (await row.send(batch)) sent.push(row);
  }).then(() => {
    sending -= 1;
    sent.push(null);
  });
  const waiting = pool(FOLLOWERS, arriving(sent), (row) => row.follow());
  working.scrollIntoView({ block: "nearest" });
  await Promise.all([arrived, waiting]);
  if (!batch && rows[0].verdict) location.assign(`/detections/${rows[0].id}`);
  else if (batch) live.textContent = `${rows.filter((row) => row.verdict).length} of ${rows.length} files are done.`;
}

class Row {
  constructor(file) {
    this.file = file;
    this.element = document.createElement("li");
    [this.name, this.step, this.end, this.bar] = ["span", "span", "span", "progress"].map((tag) => this.element.appendChild(document.createElement(tag)));
    [this.name.className, this.step.className, this.end.className] = ["name", "step", "end"];
    this.name.textContent = file.name;
    this.bar.max = 1;
    this.bar.setAttribute("aria-label", `How far ${file.name} has come`);
    this.say("Waits to be sent", 0);
    list.append(this.element);
  }

  say(text, done) {
    this.step.textContent = text;
    this.bar.value = done;
  }

  fail(text) {
    this.step.textContent = text;
    this.step.classList.add("failed");
    this.bar.hidden = true;
    live.textContent = `${this.file.name}: ${text}`;
  }

  async send(batch) {
    if (this.file.size > largest) {
      this.fail(`Is larger than the ${form.dataset.limit} that one file may have. Cut it shorter, or ask who runs this service to raise the limit.`);
      return false;
    }
    for (let tried = 0; tried < TRIES; tried += 1) {
      const answer = await upload(this.file, batch, (part) => this.say(`Sending: ${Math.floor(100 * part)} %`, SENDING * part));
      if (answer.record) {
        this.id = answer.record.detection_id;
        this.say(words({ step: "received" }), SENDING);
        return true;
      }
      if (!LATER.has(answer.status) || !answer.wait) {
        this.fail(answer.said);
        return false;
      }
      await this.wait(answer);
    }
    this.fail("The service has been busy for too long. Try again later.");
    return false;
  }

  async wait({ said, wait }) {
    live.textContent = `${this.file.name}: ${said}`;
    for (let left = wait; left > 0; left -= 1) {
      this.say(`${said} It is sent again in ${left} s.`, 0);
      await new Promise((next) => setTimeout(next, 1000));
    }
  }

  async follow() {
    let last = "";
    const record = await follow(this.id, (progress) => {
      this.say(words(progress), SENDING + (1 - SENDING) * share(progress));
      if (progress.step !== last) live.textContent = `${this.file.name}: ${words({ step: progress.step })}`;
      last = progress.step;
    });
    if (!record) {
      this.fail("It was deleted, or your session has ended.");
      return;
    }
    document.querySelector("#loading")?.remove();
    this.verdict = record.answer.verdict;
    this.say(record.answer.message.replace(`${record.file}: `, "") || "Done", 1);
    this.bar.hidden = true;
    this.end.append(badge(this.verdict), link(this.id, this.file.name));
    live.textContent = `${this.file.name}: ${VERDICTS[this.verdict]}`;
  }
}

// Sends a file; resolves with {record}, or with {status, said, wait}: what went wrong, in a sentence, and after how many seconds to come again.
function upload(file, batch, told) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/v1/detections${batch ? `?batch=${batch}` : ""}`);
    request.setRequestHeader("X-CSRF-Token", form.elements.csrf.value);
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", (event) => event.lengthComputable && told(event.loaded / event.total));
    request.addEventListener("load", () => resolve(request.status < 300 ? { record: JSON.parse(request.responseText) } : refusal(request)));
    request.addEventListener("error", () => resolve({ status: 0, said: "The connection broke. Is the service still there? Choose the file again." }));
    const body = new FormData();
    body.append("file", file, file.name);
    request.send(body);
  });
}

function refusal(request) {
  const wait = Number(request.getResponseHeader("Retry-After")) || 0;
  if (request.status === 401) return { status: 401, said: "Your session has ended. Load this page again to sign in." };
  let detail = "";
  try {
    detail = JSON.parse(request.responseText).detail;
  } catch {
    detail = `The service answered with ${request.status}.`;
  }
  return { status: request.status, said: detail, wait };
}

// Runs work over what comes, so many at a time.
async function pool(size, items, work) {
  const iterator = items[Symbol.asyncIterator]?.() ?? items[Symbol.iterator]();
  const one = async () => {
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: size }, one));
}

// Gives what is put into a list, in its order, until a null comes.
async function* arriving(sent) {
  for (let place = 0; ; ) {
    if (place === sent.length) await new Promise((next) => setTimeout(next, 100));
    else if (sent[place] === null) return;
    else yield sent[place++];
  }
}

function badge(verdict) {
  const made = document.createElement("span");
  made.className = `badge ${verdict.replace(" ", "-")}`;
  made.textContent = VERDICTS[verdict];
  return made;
}

function link(id, name) {
  const made = document.createElement("a");
  made.href = `/detections/${id}`;
  made.textContent = "Open";
  made.setAttribute("aria-label", `Open the answer on ${name}`);
  return made;
}

function hex(bytes) {
  return [...crypto.getRandomValues(new Uint8Array(bytes))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
