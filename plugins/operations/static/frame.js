// Airflow shows these pages in a frame that may neither lead the window elsewhere nor open another: links to Airflow's
// own pages are followed by the window itself, and what opens in a tab of its own is opened by it.
if (window.parent !== window) {
  for (const link of document.querySelectorAll("a[target=_top], a[target=_blank]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const outside = window.parent.document.createElement("a");
      outside.href = link.href;
      if (link.target === "_blank") {
        outside.target = "_blank";
        outside.rel = "noopener";
      }
      window.parent.document.body.append(outside);
      outside.click();
      outside.remove();
    });
  }
}
