// Describes the progress of a file as text and as a fraction, and follows a file until it is done.

const NAMES = JSON.parse(document.querySelector("#names").textContent); // written by the page, so that pages and scripts use the same words
export const VERDICT_NAMES = NAMES.verdicts;
const STEPS = ["received", "probing", "decoding", "scoring", "explaining", "done"];
const STEP_STARTS = { received: 0, probing: 0.04, decoding: 0.1, scoring: 0.4, explaining: 0.8, done: 1 }; // typical fraction of the work
const POLL_INTERVAL_MS = 2000;

export function progressText({ step, count, total }) {
  return total ? `${NAMES.steps[step]}: ${count} of ${total}` : NAMES.steps[step];
}

export function progressFraction({ step, count, total }) {
  const next = STEPS[Math.min(STEPS.indexOf(step) + 1, STEPS.length - 1)];
  return STEP_STARTS[step] + (total ? (count / total) * (STEP_STARTS[next] - STEP_STARTS[step]) : 0);
}

// Calls onProgress(progress) for each event; resolves with the record, or with null if the file was deleted or cannot be read by this user.
export function followDetection(id, onProgress) {
  const url = `/api/v1/detections/${id}`;
  return new Promise((resolve) => {
    const source = new EventSource(`${url}/events`);
    const finish = (record) => {
      source.close();
      resolve(record);
    };
    for (const step of STEPS.slice(0, -1)) source.addEventListener(step, (event) => onProgress(JSON.parse(event.data)));
    source.addEventListener("done", (event) => finish(JSON.parse(event.data)));
    source.addEventListener("deleted", () => finish(null));
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) poll(url, onProgress).then(resolve); // otherwise the browser reconnects by itself
    });
  });
}

async function poll(url, onProgress) {
  for (;;) {
    const response = await fetch(url).catch(() => null);
    if (response && [401, 403, 404].includes(response.status)) return null;
    if (response?.ok) {
      const record = await response.json();
      if (record.state === "done") return record;
      onProgress(record.progress);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
  }
}
