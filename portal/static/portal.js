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
  // Where the storage takes files itself, they go there first, and the form only names them.
  const put = (file, place, done) => new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", place.url);
    for (const [header, value] of Object.entries(place.headers)) request.setRequestHeader(header, value);
    request.upload.addEventListener("progress", (event) => done(event.loaded));
    request.addEventListener("load", () => (request.status < 300 ? resolve() : reject(new Error("refused"))));
    request.addEventListener("error", () => reject(new Error("cut off")));
    request.send(file);
  });
  const again = async (work) => {
    for (let attempt = 1; ; attempt += 1) {
      try { return await work(); } catch (error) {
        if (attempt === 4) throw error;
        await new Promise((wait) => { window.setTimeout(wait, 1000 * 2 ** attempt); });
      }
    }
  };
  const hex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const place = async (input, file, done) => {
    const announced = {
      nonce: form.elements.nonce.value, item: input.name.replace(/^file\.(other$)?/, ""), name: file.name, size: file.size,
      sha256: hex(await window.crypto.subtle.digest("SHA-256", await file.arrayBuffer())),
    };
    const answer = await again(() => fetch(form.dataset.uploads, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(announced) }));
    if (answer.status !== 200) throw new Error("not taken");
    const where = await answer.json();
    await again(() => put(file, where, done));
    return where.placed;
  };
  const placeAll = async () => {
    const inputs = [...form.querySelectorAll("input[type=file]")];
    const files = inputs.flatMap((input) => [...input.files].map((file) => [input, file]));
    const total = files.reduce((sum, [, file]) => sum + file.size, 0);
    let before = 0;
    const placed = [];
    for (const [input, file] of files) {
      const from = before;
      placed.push(await place(input, file, (loaded) => {
        bar.value = (100 * (from + loaded)) / total; words.textContent = Math.round(bar.value) + " %";
      }));
      before += file.size;
    }
    for (const signed of placed) {
      const field = document.createElement("input");
      Object.assign(field, { type: "hidden", name: "placed", value: signed });
      form.append(field);
    }
    for (const input of inputs) input.disabled = true;
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true; sending.hidden = false;
    if (form.dataset.uploads && window.crypto.subtle) {
      try { await placeAll(); } catch { /* then they come with the form */ }
    }
    post(1);
  });
})();
