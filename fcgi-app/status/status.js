/* The status page: asks for /api/verve/stats while the page is visible, and shows
   the answer. Whatever comes from there becomes text, never markup. */
"use strict";

(function () {
    const EVERY_MS = 2000;
    const LIMIT_MS = 5000;
    const WORDS = {ok: "OK", warning: "Warning", down: "Down"};
    let page = null; /* the last answer */
    let heardMs = 0; /* when it came, performance.now() */
    let before = null; /* the answer before, for rates */
    let timer = 0;
    let failure = "";

    function get(id) {
        return document.getElementById(id);
    }

    function number(value) {
        return Number(value || 0).toLocaleString("en-US");
    }

    function put(id, text) {
        const node = get(id);
        if (node.textContent !== text) {
            node.textContent = text;
        }
    }

    function element(tag, text, name) {
        const node = document.createElement(tag);
        node.textContent = text;
        if (name) {
            node.className = name;
        }
        return node;
    }

    function time(seconds) {
        return seconds ? new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ") : "–";
    }

    function span(ms) {
        const s = Math.round(ms / 1000);
        if (ms < 1000) {
            return Math.round(ms) + " ms";
        }
        if (s < 120) {
            return s + " s";
        }
        return s < 7200 ? Math.round(s / 60) + " min" : Math.round(s / 3600) + " h";
    }

    /* Rows of cells; a cell is a text, or [text, class]. */
    function fill(id, rows, empty) {
        const body = get(id);
        const nodes = rows.map(function (cells) {
            const row = document.createElement("tr");
            cells.forEach(function (cell) {
                row.append(Array.isArray(cell) ? element("td", cell[0], cell[1]) : element("td", cell));
            });
            return row;
        });
        if (nodes.length === 0) {
            const cell = element("td", empty, "empty");
            const row = document.createElement("tr");
            cell.colSpan = body.parentNode.querySelectorAll("th").length;
            row.append(cell);
            nodes.push(row);
        }
        body.replaceChildren(...nodes);
    }

    function showHeadline() {
        const list = page.findings || [];
        get("headline").dataset.state = page.state;
        put("state", WORDS[page.state] || page.state);
        document.title = (WORDS[page.state] || page.state) + " – verve";
        put("reason", page.state === "ok" ? "Requests are counted, windows are reported, callbacks are delivered." : "");
        get("findings").replaceChildren(...list.map(function (finding) {
            const item = document.createElement("li");
            item.dataset.code = finding.code;
            item.append(element("span", finding.text, finding.severity === "note" ? "what note" : "what is-" + finding.severity));
            item.append(element("span", finding.todo, "todo"));
            return item;
        }));
    }

    function total(codes) {
        return Object.values(codes || {}).reduce((sum, n) => sum + n, 0);
    }

    function showRequests() {
        const codes = page.requests.codes || {};
        const parts = Object.keys(codes).map((code) => number(codes[code]) + " × " + code);
        put("rate-sub", parts.join(", ") || "none yet");
        if (before && page.at > before.at) {
            const more = total(codes) - total(before.requests.codes);
            const perSecond = more < 0 ? 0 : more * 1000 / (page.at - before.at);
            put("rate", (perSecond < 10 ? perSecond.toFixed(1) : number(Math.round(perSecond))) + "/s");
        } else {
            put("rate", "–");
        }
    }

    function remark(one) {
        return [one.gap ? "gap: data lost" : "", one.late ? "late" : ""].filter(Boolean).join(", ");
    }

    function showWindows(store) {
        const list = store.windows.slice().reverse();
        const peak = Math.max(1, ...list.map((one) => one.count || 0));
        const last = list[list.length - 1];
        put("now", number(store.window.count));
        put("now-sub", "so far, " + span(store.window.left_ms) + " left");
        put("last", last ? (last.gap ? "gap" : number(last.count)) : "–");
        put("last-sub", last ? "from " + time(last.start).slice(11) + " UTC" : "none recorded yet");
        put("peak", list.length ? number(peak) : "");
        put("from", list.length ? time(list[0].start) + " UTC" : "");
        put("to", last ? time(last.start).slice(11) : "");
        while (list.length < 60) {
            list.unshift(null);
        }
        get("bars").replaceChildren(...list.map(function (one) {
            const bar = document.createElement("i");
            if (one === null) {
                bar.className = "none";
                return bar;
            }
            bar.className = one.gap ? "gap" : one.late ? "late" : "";
            bar.style.height = one.gap ? "100%" : 100 * one.count / peak + "%";
            bar.title = time(one.start) + ": " + (one.gap ? "" : number(one.count) + " ") + remark(one);
            return bar;
        }));
        fill("windows", store.windows.map((one) => [[time(one.start), "time"], [one.gap ? "unknown" : number(one.count), "number"], remark(one)]),
            "No window is recorded yet.");
    }

    function showCallbacks(store) {
        const queue = store.queue;
        const pairs = [
            ["Waiting", number(queue.waiting)], ["Leased or delayed", number(queue.due)],
            ["Oldest first attempt", queue.oldest_ms ? span(queue.oldest_ms) : "–"], ["Given up", number(queue.dead)],
            ["Delivered", number(store.callbacks.delivered)], ["Retried", number(store.callbacks.retried)],
            ["Queue limit", number(queue.max_jobs)]];
        put("queue", number(queue.jobs));
        put("queue-sub", queue.oldest_ms > 1000 ? "oldest " + span(queue.oldest_ms) : queue.dead ? number(queue.dead) + " given up" : "");
        get("callbacks").replaceChildren(...pairs.map(function (pair) {
            const box = document.createElement("div");
            box.append(element("dt", pair[0]), element("dd", pair[1]));
            return box;
        }));
        fill("destinations", store.destinations.map((one) => [one.origin,
            [one.breaker, one.breaker !== "closed" ? "is-down" : one.failed ? "is-warning" : "is-ok"],
            [number(one.failed), "number"], [number(one.waiting), "number"], [number(one.under_way), "number"],
            [one.took_ms ? span(one.took_ms) : "–", "number"]]), "No callback was sent lately.");
        fill("dead", store.dead.map((one) => [one.host, [one.error, "long"], [number(one.attempts), "number"], [time(one.at / 1000), "time"], [one.id, "long"]]),
            "None.");
    }

    function showSinks(store) {
        fill("sinks", store.sinks.map((one) => [one.name,
            one.error ? [one.error, "long is-down"] : one.owner ? ["works", "is-ok"] : ["nobody writes", "is-warning"],
            one.owner || "–", [one.lag ? number(one.lag) + " windows" : "–", "number"], [time(one.cursor), "time"]]),
            "No reporter has a sink.");
    }

    function clock(one) {
        return Math.abs(one.skew_ms) < 500 ? "–" : (one.skew_ms > 0 ? "+" : "−") + span(Math.abs(one.skew_ms));
    }

    function showHosts(store) {
        const rows = store.web.map((one) => [one, "web, " + number(one.responders) + " responders"]).concat(
            store.reporters.map((one) => [one, "reporter, " + one.worker]));
        fill("hosts", rows.map(([one, role]) => [one.host, [role, "time"],
            one.living ? ["lives", "is-ok"] : ["seen " + span(one.age_ms) + " ago", "is-gone"],
            one.version, one.config, [clock(one), "number"]]), "None was seen.");
    }

    function showLost() {
        const store = page && page.store;
        const late = page ? performance.now() - heardMs : 0;
        let text = "";
        if (failure && (late > 2 * EVERY_MS || !page)) {
            text = "Contact lost: " + failure + "." + (page ? " What is shown is " + span(late) + " old." : "");
        } else if (store && !page.redis.answers) {
            text = "Redis does not answer. What is shown of it is " + span(Math.max(page.at - store.at, 0) + late) + " old.";
        }
        if (failure && text) { /* what is known is no state of now */
            get("headline").dataset.state = "wait";
            put("state", "No contact");
            put("reason", "");
            document.title = "No contact – verve";
        }
        get("lost").hidden = text === "";
        put("lost", text);
    }

    function show() {
        put("host", page.host + " · version " + page.version + " · " + time(page.at / 1000) + " UTC");
        showHeadline();
        showRequests();
        if (page.store) {
            showWindows(page.store);
            showCallbacks(page.store);
            showSinks(page.store);
            showHosts(page.store);
        }
    }

    async function ask() {
        const answer = await fetch("/api/verve/stats", {cache: "no-store", signal: AbortSignal.timeout(LIMIT_MS)});
        if (!answer.ok) {
            throw new Error("the web server answers " + answer.status);
        }
        return answer.json();
    }

    async function turn() {
        try {
            const next = await ask();
            before = page;
            page = next;
            heardMs = performance.now();
            failure = "";
            show();
        } catch (error) {
            failure = /answers/.test(error.message) ? error.message : "no answer from the web server";
        }
        showLost();
        clearTimeout(timer);
        if (!document.hidden) {
            timer = setTimeout(turn, EVERY_MS);
        }
    }

    document.addEventListener("visibilitychange", function () {
        clearTimeout(timer);
        if (!document.hidden) {
            turn();
        }
    });
    turn();
}());
