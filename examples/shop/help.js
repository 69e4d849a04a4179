"use strict";

const said = document.getElementById("said");
const state = document.getElementById("state");
const form = document.getElementById("ask");

// Adds the lines that are not there yet.
function show(html) {
    const page = new DOMParser().parseFromString(html, "text/html");
    for (const line of page.querySelectorAll("[id^=line-]")) {
        if (!document.getElementById(line.id)) said.append(line);
    }
}

let events;

// A browser has six connections to a site at most: tabs that nobody looks at leave them to the others.
function connect() {
    events?.close();
    if (document.hidden) return;
    events = new EventSource("/help/events");
    events.onopen = () => { state.textContent = "What is new appears by itself."; };
    events.onmessage = (event) => show(event.data);
    events.onerror = () => {
        state.textContent = "Not connected just now; trying again.";
        // A lost connection is made again by the browser, one that was refused is not.
        if (events.readyState === EventSource.CLOSED) setTimeout(connect, 5000);
    };
    events.addEventListener("over", () => {
        events.close();
        form.hidden = state.hidden = true;
        document.getElementById("over").hidden = false;
    });
}

form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const typed = new FormData(form);
    form.reset();
    try {
        const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(typed) });
        if (!answer.ok || answer.url !== form.action) throw answer;
        // Of two shops on one database the other may have got it, and the stream would not tell.
        show(await answer.text());
    } catch {
        // The browser shows what the shop says to it: how to sign in, or what is wrong.
        form.elements.words.value = typed.get("words");
        form.submit();
    }
});

document.addEventListener("visibilitychange", connect);
connect();
