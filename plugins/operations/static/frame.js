// Airflow shows these pages in a frame that may not lead the window elsewhere: links to Airflow's own pages are
// followed by the window itself.
if (window.parent !== window) {
  for (const link of document.querySelectorAll("a[target=_top]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const outside = window.parent.document.createElement("a");
      outside.href = link.href;
      window.parent.document.body.append(outside);
      outside.click();
      outside.remove();
    });
  }
}
