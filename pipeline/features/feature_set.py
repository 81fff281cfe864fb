"""Named sets of features: which features a row holds, and under which name, so that no two meanings mix.

A set is named by its definitions: by a hash of each feature's declaration and code, comments and wording apart. The
features the first program had are called `f1` as long as they are computed as it computed them; every other feature
adds a part to the name, a named set of features one in all. A model that was trained on a set can use any set that has
all parts of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from pipeline.features.catalogue import BUILT_IN, NAMED_SETS
from pipeline.features.definition_hash import Code, digest, digest_code
from pipeline.features.engine.expressions import Expression
from pipeline.features.facts.declarations import OF_BARS, OF_NEWS, list_facts
from pipeline.features.feature import Feature
from pipeline.plugins.extensions import Extensions

_NAMES = """
return_1 return_2 return_3 return_5 return_10 return_20 return_60 return_120 momentum_120_20 sma_ratio_5
sma_ratio_20 sma_ratio_60 macd_12_26 macd_histogram_12_26_9 slope_20 slope_60 trend_fit_60 directional_14 adx_14
rsi_14 stochastic_14 williams_28 cci_20 bollinger_20 volatility_5 volatility_20 volatility_60 parkinson_20
garman_klass_20 downside_20 volatility_ratio_5_20 skewness_60 relative_volume_20 relative_volume_5_60
dollar_volume_20 dollar_volume_z_60 on_balance_slope_20 amihud_20 money_flow_14 atr_14 gap_1 intraday_1
close_location_1 range_ratio_1_20 high_20 low_20 high_252 low_252 rank_return_5 rank_return_20 rank_return_60
rank_volatility_20 rank_dollar_volume_20 rank_relative_volume_20 market_return_20 market_volatility_20 beta_60
correlation_60 residual_return_1 residual_return_5 residual_return_20 residual_return_60 residual_volatility_60
sector_return_5 sector_return_20 weekday_sin weekday_cos month_since month_till month_turn half_day sentiment_1
sentiment_3 sentiment_5 sentiment_10 news_count_1 news_count_10 sentiment_surprise sector_sentiment_5
"""
F1 = tuple(_NAMES.split())
"""The features of the first program, in the order of their columns."""
CODE_OF_F1 = "e1dabdacabc8d14896d5c4c04809ab74369ed9b0c280d6056db8b24a851d3af5"
"""Hash of the code that computes them. Code that was rewritten and gives the same bits, as the golden lakes of
tests/lake/golden prove, is vouched for here; otherwise the set gets a name of its own and models are trained anew."""

ENGINE = (("as_of", "epochs"), ("panel", "build_panel"), ("trailing_window", "View"), ("evaluate", "evaluate"))
"""What computes them, beside their own kernels: module and name."""

EXPRESSION_ENGINE = (("engine.price_basis", "lay_out_prices"), ("engine.price_basis", "compute_in_basis"))
"""What computes features that are expressions."""
NEWS = (("facts.lay_out", "lay_out_news"),)
"""What makes facts of news, beside it, for features that use any."""
BARS = (("facts.five_minute_bars", "lay_out_bars"), ("facts.five_minute_bars", "known_in_time"))
"""The same for bars within sessions."""


@dataclass(frozen=True)
class FeatureSet:
    """The features a run computes or reads, in the order of their columns."""

    base: str
    """The name of the set that `added` comes on top of."""
    features: tuple[Feature, ...]
    definitions: Mapping[str, str]
    """Feature -> the hash of its declaration and code, for those beyond `base`."""

    @property
    def own(self) -> int:
        """How many of the features are those of `base`: the first ones, which a complete row has all of."""
        return len(self.features) - len(self.definitions)

    @property
    def name(self) -> str:
        """The name in the rows: `base`, and a part for each further feature or named set."""
        return "+".join([self.base, *sorted(set(self.definitions.values()))])

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        return tuple(feature.name for feature in self.features)

    def name_of(self, features: Iterable[str]) -> str:
        """The name of the smallest set that has these features."""
        used = set(features)
        return replace(self, definitions={n: part for n, part in self.definitions.items() if n in used}).name


def feature_set(extensions: Extensions) -> FeatureSet:
    """The set that a run uses: the first program's features and those it records on top."""
    own = {feature.name: feature for feature in BUILT_IN}
    first = tuple(own[name] for name in F1 if name in own)
    return FeatureSet(extensions.feature_set, (*first, *extensions.features), extensions.definitions)


def contains(whole: str, part: str) -> bool:
    """Whether the features of the set named `part` mean the same in the set named `whole`."""
    base, *added = part.split("+")
    base_here, *here = whole.split("+")
    return base == base_here and set(added) <= set(here)


def extend(declared: Iterable[Feature] = ()) -> Extensions:
    """What a run that begins now uses: the built-in features added since the first program, and those declared."""
    added = (*(feature for feature in BUILT_IN if feature.name not in F1), *declared)
    of_set = {feature.name: name for name, features in NAMED_SETS.items() for feature in features}
    definitions = {
        one.name: _definition(NAMED_SETS[of_set[one.name]] if one.name in of_set else (one,)) for one in added
    }
    return Extensions(feature_set=base_name(), features=added, definitions=definitions)


def current_set() -> FeatureSet:
    """The built-in features as they are now, without those of any plugin."""
    return feature_set(extend())


@lru_cache(maxsize=1)
def base_name() -> str:
    """`f1`, or a hash where its features are no longer computed by code that is vouched for."""
    now = code_of_f1()
    return "f1" if now == CODE_OF_F1 else f"f{now[:12]}"


def code_of_f1() -> str:
    """Hash of the declarations and the code of the first program's features as they are now."""
    code, calls = _base_code()
    return digest([*calls, digest_code(code.definitions)])


@lru_cache(maxsize=256)
def _definition(features: tuple[Feature, ...]) -> str:
    """Hash of a further feature, or of a named set: declarations, code, and by name whatever they use of the base's."""
    code = Code()
    calls = [_call(feature, code) for feature in features]
    return digest([*calls, digest_code(code.definitions, but=_base_code()[0].definitions.keys())])[:8]


@lru_cache(maxsize=1)
def _base_code() -> tuple[Code, tuple[str, ...]]:
    """All that the first program's features reach, and how each is called."""
    code = Code()
    for module, name in ENGINE:
        code.add_named(f"pipeline.features.{module}", name)
    own = {feature.name: feature for feature in BUILT_IN}
    return code, tuple(_call(own[name], code) for name in F1 if name in own)


def hash_feature(feature: Feature) -> str:
    """Eight digits that change whenever a feature's declaration or code does, that of the engine included."""
    engine, code = _engine_code(_engine_of(feature)), Code()
    kernel = feature.kernel.text if isinstance(feature.kernel, Expression) else code.add(feature.kernel)
    own = digest_code(code.definitions, but=engine.definitions.keys())
    told = f"{feature.name} {feature.unit} {feature.warm_up} {kernel}"
    return digest([told, own, digest_code(engine.definitions)])[:8]


def _engine_of(feature: Feature) -> tuple[tuple[str, str], ...]:
    """What computes it, beside a kernel of its own: module and name."""
    if not isinstance(feature.kernel, Expression):
        return ENGINE
    used = list_facts([feature.kernel])
    return (*EXPRESSION_ENGINE, *(NEWS if used & OF_NEWS else ()), *(BARS if used & OF_BARS else ()))


@lru_cache(maxsize=4)
def _engine_code(places: tuple[tuple[str, str], ...]) -> Code:
    """All that is reached from some places."""
    code = Code()
    for module, name in places:
        code.add_named(f"pipeline.features.{module}", name)
    return code


def refuse_unhashed(feature: Feature) -> None:
    """Let no feature keep something whose content has no hash.

    Raises:
        TypeError: saying what it keeps.
    """
    _call(feature, Code())


def _call(feature: Feature, code: Code) -> str:
    return f"{feature.name} {feature.unit} {feature.warm_up} {_add_kernel(feature, code)}"


def _add_kernel(feature: Feature, code: Code) -> str:
    """How it is computed: the function called, or the formula, whose engine is taken in."""
    if not isinstance(feature.kernel, Expression):
        return code.add(feature.kernel)
    for module, name in _engine_of(feature):
        code.add_named(f"pipeline.features.{module}", name)
    return feature.kernel.text
