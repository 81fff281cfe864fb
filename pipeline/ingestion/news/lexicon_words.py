"""The words of financial news that say good or bad, and those that turn, strengthen or weaken them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

VOWELS = "aeiou"


def forms(verb: str) -> tuple[str, ...]:
    """The regular forms of an English verb: base, third person, past and -ing; `stop!` doubles its last letter."""
    if verb.endswith("!"):
        base = verb[:-1]
        return base, base + "s", base + base[-1] + "ed", base + base[-1] + "ing"
    if verb.endswith("e"):
        return verb, verb + "s", verb + "d", verb[:-1] + "ing"
    if verb.endswith("y") and verb[-2] not in VOWELS:
        return verb, verb[:-1] + "ies", verb[:-1] + "ied", verb + "ing"
    ending = "es" if verb.endswith(("s", "x", "z", "ch", "sh")) else "s"
    return verb, verb + ending, verb + "ed", verb + "ing"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _all(verbs: str, irregular: str = "") -> frozenset[str]:
    return frozenset([form for verb in verbs.split() for form in forms(verb)] + irregular.split())


def _assign_weights(groups: Mapping[float, Iterable[str]]) -> dict[str, float]:
    return {word: weight for weight, words in groups.items() for word in words}


UP = _all(
    "increase climb jump! surge soar rocket advance rally rebound expand lift boost raise double"
    " triple quadruple accelerate strengthen widen swell balloon spike escalate mount edge top!",
    "rise rises rose risen rising grow grows grew grown growing up upward higher gain gains gained"
    " gaining growth uptick upturn upswing leap leaps leapt leaping shoot shot shoots skyrocketed"
    " increased hike hikes hiked upside rises",
)
"""Something went up; whether that is good depends on what."""

DOWN = _all(
    "decrease decline drop! plunge plummet slump tumble slide dive shrink slow weaken lower reduce trim! slash"
    " narrow halve diminish dwindle slip! crumble crash erode ease soften dip! deteriorate retreat retrench",
    "fall falls fell fallen falling sink sinks sank sunk sinking down downward lower cut cuts cutting"
    " shrank shrunk lost slid dove decreased downturn downtick slower weaker contracted contracting",
)
"""Something went down; whether that is good depends on what."""

GOOD_WHEN_UP = _words(
    "profit profits profitability earnings income revenue revenues sales turnover ebit ebitda eps"
    " margin margins orders order demand dividend dividends guidance outlook forecast forecasts target"
    " targets estimate estimates result results backlog bookings volume volumes shipments deliveries"
    " output production share shares stock stocks exports traffic passengers subscribers customers"
    " users cash cashflow equity rating ratings price prices sentiment confidence productivity"
    " efficiency capacity market index growth intake returns return yield value assets jobs workforce"
    " staff headcount deposits lending loans investment investments business performance occupancy"
    " visitors liquidity royalties fees premiums nav efficiency circulation"
)
"""What an owner wants to see go up."""

BAD_WHEN_UP = _words(
    "loss losses cost costs expense expenses debt debts unemployment claims impairment impairments"
    " writedown writedowns writeoffs charges charge provisions complaints defaults default risk risks"
    " layoffs inflation deficit deficits expenditure spending tax taxes tariffs liabilities"
    " delinquencies arrears bankruptcies churn leverage overcapacity inventory inventories uncertainty"
    " volatility emissions injuries accidents vacancies outages delays shortfall dilution litigation"
    " withdrawals outflows redemptions borrowing borrowings borrowers"
)
"""What an owner wants to see go down."""

GOOD = _assign_weights(
    {
        1.6: _all(
            "outperform beat! exceed surpass outpace upgrade",
            "beat beats beaten beating record breakthrough blockbuster stellar outstanding excellent"
            " superb windfall profitable bumper booming boom",
        ),
        1.2: _all(
            "win! improve recover award secure succeed prosper thrive flourish delight",
            "won wins winning winner winners success successful successfully strong stronger"
            " strongest strongly robust solid healthy favorable favourable positive positively better"
            " best bullish optimistic optimism upbeat upgrade upgraded accretive improvement"
            " improvements recovery momentum approval approved approves clearance landmark lucrative"
            " attractive impressive exceptional resilient resilience turnaround outperformance"
            " breakout milestone premium brisk buoyant faster leading cheaper savings synergies"
            " benefit benefits benefited benefiting",
        ),
        0.7: _all(
            "enhance optimize optimise streamline reward welcome praise modernise modernize",
            "efficient efficiently good great ahead advantage advantages opportunity opportunities"
            " innovative pleased satisfied confident progress stable stability easier competitive"
            " competitiveness enable enables reliable flexible flexibility effective buyback buybacks"
            " repurchase launch launches launched partnership contract contracts agreement selected"
            " chosen expansion sustainable leader",
        ),
    }
)
"""Good news whatever the subject."""

BAD = _assign_weights(
    {
        1.8: _all(
            "default",
            "bankrupt bankruptcy insolvency insolvent fraud fraudulent scandal collapse collapsed"
            " collapses collapsing embezzlement indicted indictment delisting delisted liquidation"
            " catastrophic catastrophe restated",
        ),
        1.5: _all(
            "miss downgrade disappoint underperform suspend halt sue recall",
            "disappointing disappointment downgrade lawsuit lawsuits probe probes subpoena loss"
            " losses lossmaking recession crisis layoff layoffs redundancies redundant writedown"
            " writedowns impairment impairments warning warns warned warn resigns resigned ousted"
            " breach breached hacked",
        ),
        1.1: _all(
            "fail delay struggle suffer hurt reject dismiss fire cancel postpone abandon terminate"
            " investigate accuse allege violate penalize fine dilute dampen hamper impair worsen"
            " threaten",
            "weak weakness weakest poor poorly bad worse worst negative negatively bearish"
            " pessimistic unfavorable unfavourable adverse adversely sluggish soft stagnant stagnation"
            " difficult difficulties trouble troubled troubles problem problems shortage shortages"
            " headwind headwinds concern concerns fear fears penalty penalties fined litigation"
            " dispute strike strikes shutdown shutdowns closure closures closing unprofitable hurts"
            " hurting deficit overvalued selloff cancelled canceled cancellation unable dismissal"
            " dismissals violation violations investigation allegations antitrust dilutive volatile"
            " turmoil burden pressure pressures pressured worries worried worry harm damage damages"
            " damaged flop dire grim bleak gloomy downbeat shortfall",
        ),
        0.6: _all(
            "lack lag!",
            "uncertain uncertainty uncertainties risk risks risky challenging challenge challenges"
            " cautious caution unfortunately expensive pricey slowdown competition oversupply doubts"
            " doubt questioned",
        ),
    }
)
"""Bad news whatever the subject."""

PHRASES: dict[str, float] = {
    "better than expected": 1.8,
    "better than forecast": 1.8,
    "stronger than expected": 1.8,
    "above expectations": 1.6,
    "above estimates": 1.6,
    "above consensus": 1.6,
    "above forecast": 1.4,
    "ahead of estimates": 1.6,
    "ahead of expectations": 1.6,
    "tops estimates": 1.8,
    "tops views": 1.6,
    "tops expectations": 1.8,
    "beats estimates": 1.8,
    "beat estimates": 1.8,
    "raises guidance": 1.8,
    "raises outlook": 1.8,
    "raises forecast": 1.8,
    "lifts forecast": 1.8,
    "raises price target": 1.2,
    "raises dividend": 1.4,
    "record high": 1.6,
    "all time high": 1.6,
    "52 week high": 1.0,
    "new high": 1.0,
    "new highs": 1.0,
    "initiates at buy": 1.2,
    "upgrades to buy": 1.8,
    "maintains buy": 0.6,
    "swung to a profit": 1.8,
    "swings to profit": 1.8,
    "returned to profit": 1.8,
    "return to profit": 1.6,
    "turned to a profit": 1.8,
    "turned profitable": 1.8,
    "in the black": 1.2,
    "paid off": 0.8,
    "well positioned": 1.0,
    "market share gains": 1.4,
    "short squeeze": 0.5,
    "fda approval": 1.8,
    "worse than expected": -1.8,
    "weaker than expected": -1.8,
    "lower than expected": -1.5,
    "below expectations": -1.6,
    "below estimates": -1.6,
    "below consensus": -1.6,
    "below forecast": -1.4,
    "short of estimates": -1.6,
    "short of expectations": -1.6,
    "fell short": -1.5,
    "falls short": -1.5,
    "misses estimates": -1.8,
    "missed estimates": -1.8,
    "misses views": -1.6,
    "cuts guidance": -1.8,
    "cuts outlook": -1.8,
    "cuts forecast": -1.8,
    "lowers guidance": -1.8,
    "lowers outlook": -1.8,
    "lowers forecast": -1.8,
    "profit warning": -2.0,
    "lowers price target": -1.2,
    "cuts dividend": -1.6,
    "suspends dividend": -1.8,
    "cut jobs": -1.2,
    "cuts jobs": -1.2,
    "job cuts": -1.2,
    "lay off": -1.3,
    "lays off": -1.3,
    "laid off": -1.3,
    "laying off": -1.3,
    "all time low": -1.6,
    "52 week low": -1.0,
    "new low": -1.0,
    "new lows": -1.0,
    "record low": -1.5,
    "downgrades to sell": -1.8,
    "swung to a loss": -1.8,
    "swings to loss": -1.8,
    "turned to a loss": -1.8,
    "in the red": -1.2,
    "going concern": -1.8,
    "chapter 11": -1.8,
    "class action": -1.5,
    "data breach": -1.6,
    "trading halted": -0.8,
    "steps down": -0.7,
    "stepped down": -0.7,
    "personnel reductions": -1.0,
    "market share loss": -1.4,
    # Words of which one alone would mislead.
    "cost savings": 1.2,
    "cost cutting": 0.4,
    "write down": -1.5,
    "write downs": -1.5,
    "write off": -1.5,
    "write offs": -1.5,
    "sell off": -1.3,
    "buy back": 0.7,
    "market share": 0.0,
    "loss of": -1.0,
    "net loss": -1.3,
    "operating loss": -1.3,
    "pretax loss": -1.3,
    "pre tax loss": -1.3,
    "per share": 0.0,
    "share capital": 0.0,
    "set up": 0.0,
    "made up": 0.0,
    "make up": 0.0,
    "up to": 0.0,
    "sign up": 0.0,
    "follow up": 0.0,
    "start up": 0.0,
    "based on": 0.0,
    "break down": 0.0,
    "lower house": 0.0,
    "fall season": 0.0,
    "close of": 0.0,
    "long term": 0.0,
    "in line with": 0.2,
    "no change": 0.0,
    "as well as": 0.0,
    "leading supplier": 0.0,
    "leading provider": 0.0,
    "leading manufacturer": 0.0,
    "one of the leading": 0.0,
    "world leader": 0.0,
    "world leading": 0.0,
    "good morning": 0.0,
    "best buy": 0.0,
    "short term": 0.0,
    "contract manufacturer": 0.0,
    "interest rate": 0.0,
    "rate cut": 0.5,
    "rate hike": -0.5,
    "credit default": 0.0,
    "tax cut": 0.6,
}
"""Several words that mean one thing; 0 where they mean nothing although one of them would."""

NEGATIONS = _words(
    "not no never neither nor none without cannot hardly barely scarcely fails failed fail failing"
    " unable refuses refused denies denied isn't aren't wasn't weren't don't doesn't didn't won't"
    " wouldn't can't couldn't hasn't haven't hadn't shouldn't lacks lacking"
)
"""Turn the next few words around."""
NOT_NEGATING = frozenset({"only", "just", "later", "least", "less", "more", "doubt"})
"""After `not` or `no`, no negation: not only, no later than."""

LOSING = _words("lose loses losing lost")
"""Bad, and what follows is what is no longer there: a contract lost is no contract."""
CONNECTIVES = _words("as after amid because since following")
"""Begin a clause of their own: what moved stands on the verb's side of them."""
POSSESSIVES = _words("its their his her our")
"""After a verb, begin what it does something to."""
IDLE_PHRASES = ("week ahead", "weeks ahead", "month ahead", "year ahead", "days ahead", "look ahead", "looking ahead")
"""Say nothing, though a word of theirs does."""

DISCOUNTING = frozenset({"despite", "although", "though", "notwithstanding", "while", "whereas"})
"""Open a clause that the sentence overrules."""
TURNING = frozenset({"but", "however", "nevertheless", "yet", "nonetheless"})
"""What follows weighs more than what came before."""

DEGREES = _assign_weights(
    {
        1.5: _words(
            "sharply significantly considerably substantially dramatically massively steeply hugely"
            " record markedly strongly heavily severe severely clearly"
        ),
        1.2: _words("very highly much far well broadly notably particularly"),
        0.6: _words(
            "slightly somewhat marginally modestly slight modest moderately moderate partly partially"
            " little nearly almost may might could possibly potentially"
        ),
    }
)
"""Strengthen or weaken the word beside them."""
