"""The vocabulary of ordinary advice.

A title made of such words ("Popular", "Now and Then", "Real Life") is not named by using them.
"""

from __future__ import annotations

import re
from functools import cache

_FUNCTION = """
    a about above across after against all along also although always am among an and another any
    anyone anything are around as at away back be because been before being below beside between
    beyond both but by can cannot could did do does doesnt doing dont down during each either else
    enough even ever every everyone everything few for from further get go got had has have having
    he her here him his how however i if in inside instead into is isnt it its itself just least
    less let like many may me might more most much must my near neither never next no nobody none
    nor not nothing now of off often on once one only onto or other others our out outside over own
    per perhaps quite rather same she should since so some someone something soon still such than
    that the their them themselves then there these they this those though through throughout thus
    till to together too toward towards under unless until up upon us very via was we were what
    whatever when where whether which while who whom whose why will with within without wont would
    yet you your yours
"""
_VERBS = """
    accept account acknowledge adapt add adjust adopt advise aim align allow analyse analyze appeal
    appear apply ask aspire assess assume attract avoid balance base become begin believe blend
    boost break bring broaden build call capture care carry catch challenge change check choose
    chose chosen close combine come compare complement connect consider contain continue contrast
    counter counteract cover create credit cross deal decide define delve demote depend describe
    differ discover distinguish diverge diversify draw echo emphasise emphasize encourage end engage
    enhance enjoy ensure establish evaluate examine exclude expand expect experience explore express
    extend factor favor favour feature feel fill filter find fit focus follow form gauge give glance
    grow guess happen help highlight hold hope identify ignore imply incline include incorporate
    increase indicate infer influence inform integrate interest introduce judge keep know lack last
    lead lean learn leave leverage lift limit link listen live look love lower maintain make match
    matter mean measure mind miss mix monitor move need neglect note notice observe offer omit
    outweigh overemphasise overemphasize overlook overweight pair participate pay penalise penalize
    pick place play point postpone praise prefer present prioritise prioritize promote prove provide
    pursue push put raise range rank rate reach read recall recognise recognize recommend recur
    reduce refine reflect regard reinforce rejoice relate release rely remain remember repeat replay
    represent resemble resonate respect respond return reveal revisit reward run satisfy say score
    search see seek seem select sell serve set shape share shift show showcase signal skip sort span
    specialise specialize spend spread stand start stay steer stem stick stop strengthen stretch
    strike strive study suggest suit support surface tailor take target tell tend think tie tilt
    time top track transition treat trend trust try turn uncover understand use value vary view want
    watch weigh weight widen win won work write
"""
_QUALITIES = """
    able abstract accessible acclaimed accurate active actual adult affordable aged ancient animated
    artistic atmospheric authentic available average aware bad basic beautiful beloved best better
    big bizarre bleak blockbuster bold brief bright broad calm careful casual cerebral certain cheap
    classic clean clear clever cold comedic comic common compatible compelling competitive complex
    contemporary cool cooperative creative crucial cultural current cute daring dark deep different
    difficult digital direct distinct distinctive diverse domestic dramatic dry dynamic early easy
    eclectic edgy educational elderly emotional engaging entertaining epic equal essential exact
    exceptional exciting exclusive existing exotic experimental explicit extreme fair faithful false
    familiar famous fantastic fast female fictional final fine first foreign formal former free
    frequent fresh full fun funny future general gentle genuine global good great gritty happy hard
    hardcore harsh heartfelt heartwarming heavy hidden high highest historic historical hot human
    humorous iconic ideal imaginative immersive important inclusive independent indie individual
    innovative inspiring intellectual intense interactive intermediate international intimate
    intriguing key kid known large late later latest legal lesser light likely limited little local
    lone long low mainstream major male mature meaningful memorable mere middle minor modern moral
    multiple mysterious mystical narrow national natural negative neutral new nice niche nostalgic
    notable noteworthy novel obscure obvious occasional odd offbeat old online open opposite
    optimistic ordinary original overall overlooked particular past perfect personal philosophical
    physical plausible playful poetic political poor popular portable positive possible potential
    powerful practical previous primary prime prior private prolific prominent prone proper
    provocative psychological public pure quick quiet quirky random rare raw real realistic recent
    relatable related relational relative relevant reliable remote renowned rich right romantic
    rough sad satirical scary second secondary secret sensitive separate serious sharp short
    significant silent silly similar simple single slow small smart social soft solely solid
    sophisticated special specific stable standard steady strange strategic stray strict strong
    stylised stylish stylized subsequent subtle successful suitable superb supernatural sure surreal
    suspenseful sweet technical tender tense terrible thematic third thrilling tight total touching
    traditional tragic true typical ultimate uncommon underrated unexpected unfamiliar unique
    universal unknown unlikely unusual uplifting urban useful usual vague vintage violent visible
    visual vivid warm weak weird wellknown whimsical whole wide wild wired wireless wise wonderful
    wrong young
"""
_TOPICS = """
    ability accessories accessory accolade achievement acting action actor actress adaptation
    adapter addition adolescent adulthood advance advantage adventure advice aesthetic affinity age
    agency album alternative ambiguity amount analysis angle animal animation answer appetite
    approach arc arcade archetype area art artist aspect attention attitude attribute audience
    author award background band basketball battle beginning behavior behaviour belief benchmark
    bias biography biopic book box boy brand breadth brother budget buff building bundle business
    buyer buzz cable camera campaign candidate car card career cartoon case cast catalog catalogue
    category cause century chain chance channel chapter character charger charging chart child
    childhood children choice cinema cinematic cinematographer cinematography city clan class club
    clue cluster code collaboration collection collector color colour combat combination comedy
    comfort companion company competition composer computer concept conflict connection consensus
    console consumer content context continuation continuity controller conversation copy country
    couple courtroom craft creator creature crew crime crisis critic critical cult culture customer
    cycle dance data date day death debut decade decision degree demand demographic depth design
    detail detective development device dialogue difference difficulty dimension direction director
    disc discovery display distance distribution diversity document documentary dollar download
    downside drama dream driving dub dystopian edge editing edition effect element emotion emphasis
    ending enemy energy engine ensemble entertainment entry environment episode equipment era error
    escapism event evidence evolution example excitement expansion expectation expense exploration
    exposure extent eye face fact fame family fan fandom fantasy fashion favorite favourite feedback
    feeling festival fiction fight fighter fighting figure film filmmaker filmmaking filmography
    finding flavor flavour folk following football format franchise frequency friend friendship
    gambling game gamepad gameplay gamer gaming gangster gap gem gender generation genre ghost girl
    goal grip group growth guidance guide habit hand handheld hardware head headset heart heist
    helper heritage hero heroine hint history hit hobby holiday home horror hour house humor humour
    idea identity image imagination immigrant impact impression inclination index industry
    information input insight inspiration intensity intention interaction investigation isolation
    issue item job journey joy justice keyboard killer kind king knowledge label lady landscape
    language layer legacy length lens level life liking list listing literature location logic loss
    lot loyalty luxury machine magic mainstay maker man manga manner mark market martial material
    media medium member memory men message method microphone military mistake mode moment monster
    mood motif motion motivation mouse movement movie multiplayer music musical musician mystery
    myth mythology name narrative nation nature neighbor network night noir noise nomination nominee
    norm nostalgia notion novelty number office opinion opportunity option order origin outcome
    outlier pace pacing pack package pad parent parody part partner party pattern peak people
    percent percentage performance performer period peripheral person persona perspective phase
    phenomenon philosophy piece platform platformer platforming player plot poetry police politics
    pool popularity portion position power precedent prediction preference premise prequel presence
    price print producer product production profile project protagonist psychology publisher
    purchase purpose puzzle quality quantity quest question race racing radio rapper rarity rating
    ratio reaction reality reason recency reception recommendation record reference region relation
    relationship relevance remake replacement reputation resonance rest result revenge review rival
    road role romance room route rule saga sake sale satire saving scale scene school science scope
    screen script season segment selection sense sequel sequence series session setting shelf
    shelves shooter shop shopper side sign similarity simulation simulator sister site situation
    size skill slapstick society software soldier son song sound soundtrack source space spectacle
    spirit spoof sport spot spy stake staple star stat statistic status step stereo stereotype
    storage store story storyline storytelling strategy streak stream street strength structure
    studio stuff style stylist subgenre subject subtext success sum summer superhero supply surprise
    survival suspense switch symbol system table taste team technique technology teen teenager
    television tendency tension term test text theater theatre theme thing thriller tip title today
    tone tool topic town trade tradition tragedy trajectory travel treatment trilogy trip triumph
    truth turnbased tv twist type underdog user variation variety vehicle version video
    viewer viewing viewpoint villain violence vision voice volume war warning watched watcher
    watchlist wave way week weekend west woman women wonder word world worth writer writing year
    yesterday youth zombie zone
"""
_CAPITALISED = """
    academy africa african america american americas asia asian australia australian bafta baftas
    berlin bollywood brazilian brit british broadway canadian cannes cgi chinese christian christmas
    danish dc disney dutch dvd emmy emmys english eu europe european filipino finnish fps
    french german globe globes golden greek halloween hollywood imdb indian iranian irish
    israeli italian jewish japanese japan korea korean latin latino marvel mexican microsoft
    middle mmo mmorpg mtv netflix nintendo nordic norwegian oscar oscars oscarwinning pc pixar
    playstation polish portuguese ps psp roman rpg rpgs rts russian scandinavian scifi sega sony
    soviet spanish sundance swedish thai tv turkish uk us usa usb victorian vietnam vr western
    westerns ww wwi wwii xbox
"""

FUNCTION_WORDS = frozenset(_FUNCTION.split())
"""Words that carry no content."""
CAPITALISED = frozenset(_CAPITALISED.split()) | {"i"}
"""Ordinary words that every text writes with a capital."""

_TOPIC_NAMES = """
    worldwar worldwari worldwarii worldwar1 worldwar2 coldwar civilwar vietnamwar hongkong goldenage
    newwave
    academyaward academyawards goldenglobe goldenglobes newyork losangeles unitedstates
"""
TOPIC_NAMES = frozenset(_TOPIC_NAMES.split())
"""Names, with their words joined, that hints may mention even if an item has the same title."""

_WORDS = frozenset(f"{_VERBS} {_QUALITIES} {_TOPICS}".split()) | FUNCTION_WORDS | CAPITALISED
_SUFFIX = re.compile(r"(?:ies|ied|ily)$")
_ENDINGS = ("s", "es", "ed", "ing", "ly", "er", "ers", "est", "al", "ally", "ity", "ness")
_SHORTEST_STEM = 3


@cache
def is_advice(word: str) -> bool:
    """Whether ordinary hints use a word, in this or another inflection.

    Args:
        word: A word in lower case.
    """
    if word in _WORDS or _SUFFIX.sub("y", word) in _WORDS:
        return True
    for ending in _ENDINGS:
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= _SHORTEST_STEM:
            doubled = stem[-1] == stem[-2] and stem[:-1] in _WORDS
            if doubled or stem in _WORDS or f"{stem}e" in _WORDS:
                return True
    return False
