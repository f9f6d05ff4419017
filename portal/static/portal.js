// The pages work without this: it keeps what was typed, takes dropped files, and shows how far an upload is.
"use strict";
(() => {
  const store = (() => { try { return window.localStorage; } catch { return null; } })();
  const sent = document.querySelector("[data-sent]");
  if (sent && store) store.removeItem("typed:" + sent.dataset.sent);
  const errors = document.getElementById("errors");
  if (errors) errors.focus();
  const form = document.querySelector("form[data-keep]");
  if (!form) return;

  const name = "typed:" + form.dataset.keep;
  const texts = () => [...form.querySelectorAll("textarea, input[type=text]")];
  if (store && !errors) {
    try {
      const kept = JSON.parse(store.getItem(name) || "{}");
      for (const field of texts()) if (!field.value && typeof kept[field.name] === "string") field.value = kept[field.name];
    } catch { store.removeItem(name); }
  }
  form.addEventListener("input", () => {
    if (!store) return;
    try { store.setItem(name, JSON.stringify(Object.fromEntries(texts().map((field) => [field.name, field.value])))); } catch { /* full */ }
  });

  for (const box of form.querySelectorAll(".upload")) {
    const input = box.querySelector("input[type=file]");
    const over = (on) => (event) => { event.preventDefault(); box.classList.toggle("over", on); };
    box.addEventListener("dragover", over(true));
    box.addEventListener("dragleave", over(false));
    box.addEventListener("drop", (event) => {
      over(false)(event);
      const all = new DataTransfer();
      for (const file of [...input.files, ...event.dataTransfer.files]) all.items.add(file);
      input.files = all.files;
    });
  }

  const sending = form.querySelector(".sending");
  const [bar, words] = [sending.querySelector("progress"), sending.querySelector("span")];
  const button = form.querySelector("button[type=submit]");
  const show = (html, address) => {
    window.history.replaceState(null, "", address);
    document.open(); document.write(html); document.close();
  };
  const post = (attempt) => {
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) { bar.value = (100 * event.loaded) / event.total; words.textContent = Math.round(bar.value) + " %"; }
    });
    request.addEventListener("load", () => {
      if (request.status === 200) window.location.assign(request.responseURL);
      else show(request.responseText, form.action);
    });
    // The form has a number of its own: sent again, it is still one answer.
    request.addEventListener("error", () => {
      if (attempt < 5) window.setTimeout(() => post(attempt + 1), 1000 * 2 ** attempt);
      else { sending.hidden = true; button.disabled = false; form.submit(); }
    });
    request.send(new FormData(form));
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    button.disabled = true; sending.hidden = false;
    post(1);
  });
})();
