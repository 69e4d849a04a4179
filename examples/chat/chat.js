"use strict";

const said = document.getElementById("said");
const state = document.getElementById("state");

function connect() {
    const events = new EventSource("/events");
    events.onopen = () => { state.textContent = "connected"; };
    events.onmessage = (event) => {
        const line = document.createElement("li");
        line.textContent = event.data;
        said.append(line);
    };
    events.addEventListener("ended", (event) => {
        events.close();
        if (event.data === "changed") {
            // The browser has another id by now.
            connect();
        } else {
            state.textContent = "You have been signed out.";
        }
    });
}

if (said) {
    connect();
    document.getElementById("say").addEventListener("submit", (event) => {
        event.preventDefault();
        fetch("/say", { method: "POST", body: new URLSearchParams(new FormData(event.target)) });
        event.target.reset();
    });
}
