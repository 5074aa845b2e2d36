// The page of a file that is not done yet: its steps as they pass, then the answer.

import { follow, share, words } from "./steps.js";

const section = document.querySelector("#progress");
const bar = section.querySelector("progress");
const said = section.querySelector("#step");
const steps = [...section.querySelectorAll("[data-step]")];

const record = await follow(section.dataset.id, (progress) => {
  const now = steps.findIndex((step) => step.dataset.step === progress.step);
  steps.forEach((step, place) => {
    step.className = place < now ? "past" : place === now ? "now" : "";
  });
  bar.value = share(progress);
  if (said.textContent !== words(progress)) said.textContent = words(progress);
});
if (record) location.reload();
else location.assign("/history");
