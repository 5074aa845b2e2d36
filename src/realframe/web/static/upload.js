// The page Check: uploads files one after the other and follows each until it is done.

import { VERDICT_NAMES, followDetection, progressFraction, progressText } from "./progress_events.js";

const PARALLEL_UPLOADS = 2; // a browser opens six connections to a server; the rest is left to other tabs
const PARALLEL_EVENTS = 2;
const UPLOAD_FRACTION = 0.25; // of the progress bar
const RETRY_STATUSES = new Set([429, 503]);
const MAX_ATTEMPTS = 40;

const form = document.querySelector("#upload");
const input = form.querySelector("input[type=file]");
const uploads = document.querySelector("#uploads");
const list = uploads.querySelector("ol");
const batchLink = document.querySelector("#batch-link");
const announcer = document.querySelector("#announcer");
const maxBytes = Number(form.dataset.maxBytes);
document.documentElement.classList.add("has-js");
input.multiple = true;

input.addEventListener("change", () => {
  if (input.files.length) uploadAll([...input.files]);
  form.reset();
});
form.addEventListener("submit", (event) => event.preventDefault());
let dragDepth = 0;
form.addEventListener("dragenter", () => form.classList.toggle("drag-over", ++dragDepth > 0));
form.addEventListener("dragleave", () => form.classList.toggle("drag-over", --dragDepth > 0));
for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault()); // a drop outside the form must not leave the page
window.addEventListener("drop", (event) => {
  dragDepth = 0;
  form.classList.remove("drag-over");
  const files = [...(event.dataTransfer?.files ?? [])];
  if (files.length) uploadAll(files);
});

let activeUploads = 0;
window.addEventListener("beforeunload", (event) => activeUploads && event.preventDefault());

async function uploadAll(files) {
  const batch = files.length > 1 ? randomHex(8) : "";
  const rows = files.map((file) => new UploadRow(file));
  uploads.hidden = false;
  batchLink.hidden = true; // until the uploads have ended: leaving the page stops them, and before the first one there is no table
  if (batch) batchLink.querySelector("a").href = `/batches/${batch}`;
  const accepted = [];
  activeUploads += 1;
  const uploading = runPool(PARALLEL_UPLOADS, rows, async (row) => {
    if (await row.upload(batch)) accepted.push(row);
  }).then(() => {
    activeUploads -= 1;
    accepted.push(null);
    batchLink.hidden = !batch || !rows.some((row) => row.id);
  });
  const following = runPool(PARALLEL_EVENTS, consume(accepted), (row) => row.follow());
  uploads.scrollIntoView({ block: "nearest" });
  await Promise.all([uploading, following]);
  if (!batch && rows[0].verdict) location.assign(`/detections/${rows[0].id}`);
  else if (batch) announcer.textContent = `${rows.filter((row) => row.verdict).length} of ${rows.length} files are done.`;
}

class UploadRow {
  constructor(file) {
    this.file = file;
    this.element = document.createElement("li");
    [this.name, this.step, this.outcome, this.bar] = ["span", "span", "span", "progress"].map((tag) => this.element.appendChild(document.createElement(tag)));
    [this.name.className, this.step.className, this.outcome.className] = ["name", "step", "outcome"];
    this.name.textContent = file.name;
    this.bar.max = 1;
    this.bar.setAttribute("aria-label", `Progress of ${file.name}`);
    this.showStep("Waiting for the upload", 0);
    list.append(this.element);
  }

  showStep(text, fraction) {
    this.step.textContent = text;
    this.bar.value = fraction;
  }

  showError(text) {
    this.step.textContent = text;
    this.step.classList.add("failed");
    this.bar.hidden = true;
    announcer.textContent = `${this.file.name}: ${text}`;
  }

  async upload(batch) {
    if (this.file.size > maxBytes) {
      this.showError(`The file is larger than the limit of ${form.dataset.maxSize}. Cut it, or ask the operator of this service to raise the limit.`);
      return false;
    }
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const response = await sendFile(this.file, batch, (fraction) => this.showStep(`Uploading: ${Math.floor(100 * fraction)} %`, UPLOAD_FRACTION * fraction));
      if (response.record) {
        this.id = response.record.detection_id;
        this.showStep(progressText({ step: "received" }), UPLOAD_FRACTION);
        return true;
      }
      if (!RETRY_STATUSES.has(response.status) || !response.retryAfter) {
        this.showError(response.message);
        return false;
      }
      await this.waitForRetry(response);
    }
    this.showError("The service has been busy for too long. Try again later.");
    return false;
  }

  async waitForRetry({ message, retryAfter }) {
    announcer.textContent = `${this.file.name}: ${message}`;
    for (let seconds = retryAfter; seconds > 0; seconds -= 1) {
      this.showStep(`${message} The upload is repeated in ${seconds} s.`, 0);
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }

  async follow() {
    let lastStep = "";
    const record = await followDetection(this.id, (progress) => {
      this.showStep(progressText(progress), UPLOAD_FRACTION + (1 - UPLOAD_FRACTION) * progressFraction(progress));
      if (progress.step !== lastStep) announcer.textContent = `${this.file.name}: ${progressText({ step: progress.step })}`;
      lastStep = progress.step;
    });
    if (!record) {
      this.showError("The file was deleted, or your session has ended.");
      return;
    }
    document.querySelector("#loading")?.remove();
    this.verdict = record.result.verdict;
    this.showStep(record.basis || record.result.message.replace(`${record.file}: `, "") || "Done", 1);
    this.bar.hidden = true;
    this.outcome.append(createBadge(this.verdict), createLink(this.id, this.file.name));
    announcer.textContent = `${this.file.name}: ${[VERDICT_NAMES[this.verdict], record.basis].filter(Boolean).join(". ")}`;
  }
}

// Uploads a file; resolves with {record}, or with {status, message, retryAfter}: the error as a sentence and the seconds to wait before a retry.
function sendFile(file, batch, onProgress) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/v1/detections${batch ? `?batch=${batch}` : ""}`);
    request.setRequestHeader("X-CSRF-Token", form.elements.csrf.value);
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", (event) => event.lengthComputable && onProgress(event.loaded / event.total));
    request.addEventListener("load", () => resolve(request.status < 300 ? { record: JSON.parse(request.responseText) } : readError(request)));
    request.addEventListener("error", () => resolve({ status: 0, message: "The connection was lost. Check that the service is running, and choose the file again." }));
    const body = new FormData();
    body.append("file", file, file.name);
    request.send(body);
  });
}

function readError(request) {
  const retryAfter = Number(request.getResponseHeader("Retry-After")) || 0;
  if (request.status === 401) return { status: 401, message: "Your session has ended. Reload this page to sign in." };
  let message = "";
  try {
    message = JSON.parse(request.responseText).detail;
  } catch {
    message = `The service responded with status ${request.status}.`;
  }
  return { status: request.status, message, retryAfter };
}

// Runs a task over all items, at most `size` at a time.
async function runPool(size, items, task) {
  const iterator = items[Symbol.asyncIterator]?.() ?? items[Symbol.iterator]();
  const runWorker = async () => {
    for (let item = await iterator.next(); !item.done; item = await iterator.next()) await task(item.value);
  };
  await Promise.all(Array.from({ length: size }, runWorker));
}

// Yields the items that are appended to a list, in their order, until a null is appended.
async function* consume(items) {
  for (let index = 0; ; ) {
    if (index === items.length) await new Promise((resolve) => setTimeout(resolve, 100));
    else if (items[index] === null) return;
    else yield items[index++];
  }
}

function createBadge(verdict) {
  const badge = document.createElement("span");
  badge.className = `badge ${verdict.replace(" ", "-")}`;
  badge.textContent = VERDICT_NAMES[verdict];
  return badge;
}

function createLink(id, name) {
  const link = document.createElement("a");
  link.href = `/detections/${id}`;
  link.textContent = "Open";
  link.setAttribute("aria-label", `Open the result of ${name}`);
  return link;
}

function randomHex(bytes) {
  return [...crypto.getRandomValues(new Uint8Array(bytes))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
