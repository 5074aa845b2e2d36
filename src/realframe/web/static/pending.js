// The page of a file that is not done yet: shows the current step, then loads the result.

import { followDetection, progressFraction, progressText } from "./progress_events.js";

const section = document.querySelector("#progress");
const bar = section.querySelector("progress");
const currentStep = section.querySelector("#current-step");
const steps = [...section.querySelectorAll("[data-step]")];

const record = await followDetection(section.dataset.id, (progress) => {
  const current = steps.findIndex((step) => step.dataset.step === progress.step);
  steps.forEach((step, index) => {
    step.className = index < current ? "done" : index === current ? "current" : "";
  });
  bar.value = progressFraction(progress);
  if (currentStep.textContent !== progressText(progress)) currentStep.textContent = progressText(progress);
});
if (record) location.reload();
else location.assign("/history");
