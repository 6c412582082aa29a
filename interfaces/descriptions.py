"""What the operations are for, in words that another agent's model reads."""

from __future__ import annotations

RECOMMEND = (
    "Recommend items of the catalogue that a person would choose next, given what they chose or "
    "liked before. Returns the best items first, each with the facts (`because`) that it shares "
    "with those choices, and a `recommendation_id` to report later what they picked. Use it "
    "whenever somebody asks what to choose, watch, read, play or buy next; never make up items "
    "yourself. A title that could be several items is refused with those items: ask the person "
    "which one they mean."
)
FEEDBACK = (
    "Store what a person did with a recommendation: which item they picked, or that they took "
    "none of these. Call it once for each recommendation, as soon as they say so; the recommender "
    "learns from it."
)
TITLES = (
    "Find the items of the catalogue that a person mentions, whatever the typing errors. `found` "
    "has one item. `ambiguous` has several: ask the person which one they mean. `unknown` is not "
    "in the catalogue; its items are only near in meaning. An item that is `withdrawn` may be in a "
    "history, but is not to be offered."
)
RATE = (
    "Predict how a person will rate an item, from their own past reviews and, if there are any, "
    "other people's reviews of it. Returns the rating and the reasoning: the person, the item, the "
    "match. Use it when somebody asks whether they would like a certain item, and pass along "
    "everything that they have said they liked or disliked."
)
HINTS = (
    "List the hints of a catalogue: short pieces of advice, learned from misses or given by a "
    "person, that the recommender puts into its ranking prompts, with the gain that each brought."
)

HISTORY = "What the person chose or liked so far, oldest first: ids or titles."
CANDIDATES = "Rank only these, ids or titles. Leave out to search the catalogue."
COUNT = "How many to recommend."
USER = (
    "Any stable name of the person, or of the session: who is in a rollout of a release stays in "
    "it. Only a hash of it is stored."
)
RECOMMENDATION = "The `recommendation_id` of the answer that they react to."
PICKED = "The item that they chose, id or title; null for none of these."
REVIEWS = (
    "What the user liked and disliked before, oldest first: everything that they have said about "
    "other items in the conversation. Where they gave no number, choose one on the scale: of 1 to "
    "5, loved is 5, liked 4, disliked 2, hated 1."
)
TYPED = "As the person wrote them, one title each."
DOMAIN = "The catalogue's name. Leave out for the default."
