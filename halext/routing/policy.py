"""Which node will finish first: the estimate, the choice, what is learned from each answer, and the choice in words.

Pure: the same values give the same decision. All times are seconds. The shape of the estimate and its constants come
from a simulation of small unequal fleets; they are starting values that measured rates soon replace.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from halext.messages import Timings, Usage
from halext.nodes.types import Rates
from halext.routing.types import Candidate, Decision, Dispatch, Estimate, Hold, Need, NoNode, Rejected


@dataclass(frozen=True, slots=True)
class Cfg:
    """Every constant of the rule."""

    batch_cost: float = 0.2
    """How much slower one stream gets per further stream on the same node: speed is 1 / (1 + cost · others)."""
    first_token_weight: float = 0.5
    """People wait for the first word more impatiently than for the last one."""
    decode_work: float = 300.0
    """Tokens per second times gigabytes of model, for a node of which nothing is known."""
    prefill_work: float = 5_000.0
    top_decode_tps: float = 150.0
    """A tiny model is not a thousand times as fast as its size says."""
    top_prefill_tps: float = 5_000.0
    load_gb_per_s: float = 1.0
    load_fixed_s: float = 1.0
    unknown_size_gb: float = 4.0
    """For servers that don't say how large a model is."""
    wait_weight: float = 2.0
    wait_fixed_s: float = 1.0
    impatience_per_s: float = 0.1
    expected_output: int = 250
    fewest_tokens: int = 8
    """An answer shorter than this says nothing about speed."""
    fewest_prompt_tokens: int = 60
    cache_hit: float = 10.0
    """A prompt read this many times as fast as usual was read from the node's cache."""
    shortest_load_s: float = 0.1
    """Warm models report a load time too, of milliseconds."""
    learn_load: float = 0.4
    learn_output: float = 0.05
    learn: float = 0.15
    """The weight of a new sample once there are many."""
    outlier: float = 0.3
    """How much less a sample counts that is under half of what is known: a disturbance, not a new normal."""


CFG = Cfg()


def estimate(need: Need, candidate: Candidate, cfg: Cfg = CFG) -> Estimate:
    """How soon `candidate` would finish `need`, with every part of the sum."""
    rates = candidate.rates
    decode_tps, prefill_tps = solo_rates(candidate, cfg)
    others = candidate.in_flight
    load = 0.0 if candidate.resident else load_time(candidate, cfg)
    prefill = need.prompt_tokens / prefill_tps
    decode = max(need.output_tokens, cfg.fewest_tokens) / decode_tps * (1 + cfg.batch_cost * others)
    if rates.decode_count == 0 and rates.last_total_s > 0:
        prefill, decode = 0.0, rates.last_total_s  # all that is known is how long the last answer took
    ahead = others - candidate.slots + 1
    wait = _wait(max(0, ahead) * decode / candidate.slots, need.waited_s, cfg) if ahead > 0 else 0.0
    terms = {
        "network": candidate.latency_s,
        "penalty": candidate.penalty_s,
        "wait": wait,
        "load": load,
        "prefill": prefill,
        "decode": decode,
    }
    finish = sum(terms.values())
    first_token = finish - decode
    return Estimate(
        node=candidate.node,
        endpoint=candidate.endpoint,
        score_s=finish + cfg.first_token_weight * first_token,
        finish_s=finish,
        first_token_s=first_token,
        can_start=ahead <= 0,
        terms=terms,
        reason=_reason(candidate, load),
    )


def _wait(likely_s: float, waited_s: float, cfg: Cfg) -> float:
    """How long the wait for a slot may become.

    More than the likely time, since the best of several guesses is always too rosy; and more for who has waited long
    already, so that they are sent to a slower node rather than held for ever.
    """
    return (cfg.wait_weight * likely_s + cfg.wait_fixed_s) * (1 + cfg.impatience_per_s * waited_s)


def solo_rates(candidate: Candidate, cfg: Cfg = CFG) -> tuple[float, float]:
    """Tokens per second of one undisturbed stream, and of reading the prompt: measured, else guessed from the size."""
    size_gb = candidate.size_bytes / 1e9 or cfg.unknown_size_gb
    rates = candidate.rates
    decode = rates.decode_tps if rates.decode_count else min(cfg.decode_work / size_gb, cfg.top_decode_tps)
    prefill = rates.prefill_tps if rates.prefill_count else min(cfg.prefill_work / size_gb, cfg.top_prefill_tps)
    return decode, prefill


def load_time(candidate: Candidate, cfg: Cfg = CFG) -> float:
    """How long loading the model takes there: measured, else guessed from the size."""
    if candidate.rates.load_count:
        return candidate.rates.load_s
    return (candidate.size_bytes / 1e9 or cfg.unknown_size_gb) / cfg.load_gb_per_s + cfg.load_fixed_s


def choose(need: Need, candidates: Sequence[Candidate], cfg: Cfg = CFG) -> Decision:
    """The candidate with the smallest score: send it there if a slot is free, else hold it for that one.

    Ties go to the node that has the model in memory, then to the one with more free slots, then in turn.
    """
    if not candidates:
        return NoNode("no_node_has_model")
    scored = sorted(
        ((estimate(need, candidate, cfg), candidate) for candidate in candidates),
        key=lambda pair: (
            round(pair[0].score_s, 3),
            not pair[1].resident,
            pair[1].in_flight - pair[1].slots,
            pair[1].tie,
        ),
    )
    estimates = tuple(entry for entry, _ in scored)
    best, candidate = scored[0]
    if best.can_start:
        return Dispatch(candidate, estimates)
    return Hold(candidate, best.terms["wait"], estimates)


# --- learning ---


@dataclass(frozen=True, slots=True)
class Sample:
    """One finished answer, as far as it says something about speed."""

    usage: Usage
    timings: Timings
    first_token_s: float
    """Seconds from sending the request to the first piece, by our clock."""
    total_s: float
    was_cold: bool
    others: int
    """Requests of ours that ran beside it when it began."""


def observe(rates: Rates, sample: Sample, cfg: Cfg = CFG) -> Rates:
    """What is known of a model on an endpoint after one more answer."""
    rates = replace(rates, last_total_s=sample.total_s)
    rates = _observe_load(rates, sample, cfg)
    rates = _observe_prefill(rates, sample, cfg)
    return _observe_decode(rates, sample, cfg)


def _observe_decode(rates: Rates, sample: Sample, cfg: Cfg) -> Rates:
    tokens = sample.usage.completion_tokens
    seconds = sample.timings.eval_s or (sample.total_s - sample.first_token_s)
    if tokens < cfg.fewest_tokens or seconds <= 0:
        return rates
    solo = tokens / seconds * (1 + cfg.batch_cost * sample.others)
    value = _blend(rates.decode_tps, rates.decode_count, solo, cfg)
    return replace(rates, decode_tps=value, decode_count=rates.decode_count + 1)


def _observe_prefill(rates: Rates, sample: Sample, cfg: Cfg) -> Rates:
    fresh = sample.usage.prompt_tokens - sample.usage.cached_tokens
    seconds = sample.timings.prompt_s
    # Ollama counts cached tokens into the prompt and not into its time: a hit looks like a huge rate. So only long
    # prompts are believed, and none that is many times as fast as what was seen before.
    if not seconds or fresh < cfg.fewest_prompt_tokens:
        return rates
    if rates.prefill_count and fresh / seconds > cfg.cache_hit * rates.prefill_tps:
        return rates
    value = _blend(rates.prefill_tps, rates.prefill_count, fresh / seconds, cfg)
    return replace(rates, prefill_tps=value, prefill_count=rates.prefill_count + 1)


def _observe_load(rates: Rates, sample: Sample, cfg: Cfg) -> Rates:
    seconds = sample.timings.load_s
    if not sample.was_cold or not seconds or seconds < cfg.shortest_load_s:
        return rates
    value = seconds if not rates.load_count else rates.load_s + cfg.learn_load * (seconds - rates.load_s)
    return replace(rates, load_s=value, load_count=rates.load_count + 1)


def _blend(known: float, count: int, value: float, cfg: Cfg) -> float:
    if count == 0:
        return value
    weight = max(cfg.learn, 1 / (count + 1))
    if value < known / 2:
        weight *= cfg.outlier
    return known + weight * (value - known)


def learn_output(expected: float | None, tokens: int, cfg: Cfg = CFG) -> float:
    """How many tokens the next answer of a model will have, given one more that had `tokens`."""
    if expected is None:
        return (cfg.expected_output + tokens) / 2
    return expected + cfg.learn_output * (tokens - expected)


# --- in words ---


def _reason(candidate: Candidate, load: float) -> str:
    plural = "" if candidate.slots == 1 else "s"
    slots = f"{min(candidate.in_flight, candidate.slots)} of {candidate.slots} slot{plural} taken"
    temperature = "warm" if candidate.resident else f"cold, {load:.0f} s load"
    return f"{temperature}, {slots}" + (f", {candidate.penalty_s:.0f} s for failures" if candidate.penalty_s else "")


def sentence(estimates: Iterable[Estimate], rejected: Iterable[Rejected] = (), chosen: str | None = None) -> str:
    """A decision as one line: `mac: 2.1 s (warm, 1 of 4 slots taken); pc: 9.4 s (cold, 6 s load, …) — chose mac`."""
    parts = [f"{entry.node}: {entry.finish_s:.1f} s ({entry.reason})" for entry in estimates]
    parts += [f"{entry.node}: not asked ({entry.reason})" for entry in rejected]
    ending = f" — chose {chosen}" if chosen else " — nobody can take it"
    return "; ".join(parts) + ending if parts else "no node has this model" + ending
