/** The parts of the System view: a state in, a table or a picture out. */
import { html, nothing, svg, type SVGTemplateResult, type TemplateResult } from "lit-html";

import { ageOf } from "../channels";
import { label } from "../explain";
import * as format from "../format";
import type { TermName } from "../glossary";
import { bars, milliseconds, place, quantileOf, tick } from "../histogram";
import type { Latency, Status } from "../messages";
import type { Recent } from "./system-recent";

const WIDTH = 360;
const HEIGHT = 120;
const AXIS = 16;
/** Above the highest bar, for the names of quantiles. */
const HEADROOM = 24;
const SMALL_WIDTH = 96;
const SMALL_HEIGHT = 20;
const MIB = 1 << 20;
const RESTARTED_MS = 60_000;

const STAGES: Readonly<Record<string, string>> = {
  wait: "from the chain’s own time to a worker",
  decode: "read and checked",
  compute: "forward, volatilities, Greeks, metrics",
  store: "durably in MongoDB",
  publish: "to Redis, for sockets and REST",
};
const STREAMS: Readonly<Record<string, string>> = { "market:ticks": "ticks", "market:chains": "chains" };

export function latencies(status: Status): TemplateResult {
  const { pipeline, gateways = [] } = status;
  const window = span(status);
  return part(
    "Latency",
    window,
    html`<div class="pictures">
      ${picture("publish_latency", "From feed to publication", pipeline?.latency, "no worker says anything")}
      ${
        gateways.length === 0
          ? picture("delivery_latency", "From feed to sockets", undefined, "no gateway says anything")
          : gateways.map((each) =>
              picture(
                "delivery_latency",
                gateways.length === 1 ? "From feed to sockets" : `From feed to sockets of ${each.instance}`,
                each.latency,
                "nothing was sent yet",
              ),
            )
      }
    </div>`,
  );
}

export function stages(status: Status): TemplateResult {
  const { pipeline } = status;
  if (!pipeline) return part("Stages", "", html`<p class="none">No worker says anything.</p>`);
  const note = `${pipeline.workers} ${pipeline.workers === 1 ? "worker" : "workers"}, ${span(status)}`;
  return part(
    "Stages",
    note,
    table(
      ["Stage", "Values", "Mean", "50 %", "99 %", "Spread"],
      pipeline.stages.map(
        ({ stage, latency }) =>
          html`<tr data-stage=${stage}><th scope="row">${stage}<small class="wide">${STAGES[stage] ?? ""}</small></th>
            <td class="num">${latency.count}</td><td class="num">${milliseconds(latency.mean_ms)}</td>
            <td class="num">${quantileOf(latency, "p50_ms")}</td><td class="num">${quantileOf(latency, "p99_ms")}</td>
            <td>${small(latency, stage)}</td></tr>`,
      ),
    ),
  );
}

export function ledger(status: Status, recent: Recent): TemplateResult {
  return part(
    "Ledger",
    `${status.dead_letters} dead ${status.dead_letters === 1 ? "letter" : "letters"}`,
    table(
      ["Stream", named("stream_lag"), named("stream_pending"), named("oldest_pending"), "Since this was opened"],
      Object.keys(status.stream_lag).map((stream) => {
        const oldest = status.oldest_pending_ms?.[stream];
        return html`<tr data-stream=${stream}><th scope="row">${STREAMS[stream] ?? stream}</th>
          <td class="num">${status.stream_lag[stream]}</td>
          <td class="num">${status.stream_pending?.[stream] ?? format.MISSING}</td>
          <td class="num">${oldest === null ? "none" : oldest === undefined ? format.MISSING : milliseconds(oldest)}</td>
          <td>${trace(recent.lags(stream))}</td></tr>`;
      }),
    ),
  );
}

export function gateways(status: Status, market: format.Market): TemplateResult {
  const { gateways: replicas = [] } = status;
  if (replicas.length === 0) return part("Gateways", "", html`<p class="none">No socket-gateway says anything.</p>`);
  return part(
    "Gateways",
    `${replicas.length} ${replicas.length === 1 ? "replica" : "replicas"}, ${span(status)}`,
    table(
      ["Replica", "Sockets", "Channels", "Messages/s", "kB/s", named("conflated"), named("slow"), "Waiting", named("loop_lag")],
      replicas.map(
        (each) =>
          html`<tr data-instance=${each.instance}><th scope="row"><code>${each.instance}</code></th>
            <td class="num">${each.sockets}</td><td class="num">${each.subscriptions}</td>
            <td class="num">${format.decimal(each.messages_per_second, market, each.messages_per_second < 100 ? 1 : 0)}</td>
            <td class="num">${format.decimal(each.bytes_per_second / 1_000, market, 1)}</td>
            <td class="num" data-kind=${warn(each.conflated)}>${each.conflated}</td>
            <td class="num" data-kind=${warn(each.slow_disconnects)}>${each.slow_disconnects}</td>
            <td class="num">${size(each.waiting_bytes)}</td><td class="num">${milliseconds(each.loop_lag_ms)}</td></tr>`,
      ),
    ),
  );
}

export function products(status: Status, now: number): TemplateResult {
  const behind = ageOf(status, now) ?? 0;
  return part(
    "Products",
    "",
    table(
      ["Product", "State", "Age", "Live expiries"],
      status.products.map(
        ({ product, state, age_ms: age, expiries }) =>
          html`<tr><th scope="row">${product}</th>
            <td><span class="badge" data-freshness=${state}>${state}</span></td>
            <td class="num">${format.duration(age + behind)}</td><td class="num">${expiries.length}</td></tr>`,
      ),
    ),
  );
}

export function processes(status: Status, now: number): TemplateResult {
  const { processes: running = [] } = status;
  if (running.length === 0) return part("Processes", "", html`<p class="none">No process says anything.</p>`);
  const cores = running.reduce((total, { cpu }) => total + (cpu ?? 0), 0);
  return part(
    "Processes",
    `${running.length}, together ${format.percent(cores, 0)} of a core`,
    table(
      ["Service", "Instance", "Up for", "CPU", "Memory"],
      running.map(({ service, instance, started_ts: started, cpu, memory_bytes: memory }) => {
        const up = Math.max(0, now - started);
        return html`<tr data-instance=${instance}><th scope="row">${service}</th><td><code>${instance}</code></td>
          <td class="num" data-kind=${up < RESTARTED_MS ? "news" : ""}>${format.duration(up)}</td>
          <td class="num">${format.percent(cpu, 1)}</td><td class="num">${memory === null ? format.MISSING : size(memory)}</td></tr>`;
      }),
    ),
  );
}

function part(title: string, note: string, content: TemplateResult): TemplateResult {
  const id = `system-${title.toLowerCase()}`;
  return html`<section class="part" data-part=${title.toLowerCase()} aria-labelledby=${id}>
    <h2 id=${id}>${title}${note ? html`<small>${note}</small>` : nothing}</h2>${content}
  </section>`;
}

function table(heads: readonly (string | TemplateResult)[], rows: readonly TemplateResult[]): TemplateResult {
  return html`<div class="sideways" tabindex="0" role="group" aria-label="table, scrolls sideways"><table>
    <thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead><tbody>${rows}</tbody>
  </table></div>`;
}

/** Its own width for each bucket, whatever its bounds: what matters is where it piles up. */
function picture(term: TermName, title: string, latency: Latency | undefined, otherwise: string): TemplateResult {
  const shown = latency && latency.count > 0 ? bars(latency) : [];
  const said =
    latency && shown.length > 0
      ? `half within ${quantileOf(latency, "p50_ms")}, 99 of 100 within ${quantileOf(latency, "p99_ms")}, of ${latency.count} chains`
      : otherwise;
  return html`<figure data-exact=${String(latency?.p50_ms ?? null)}>
    <figcaption>${label(term, title)}<small class="num">${said}</small></figcaption>
    ${
      latency && shown.length > 0
        ? html`<svg class="histogram" viewBox="0 0 ${WIDTH} ${HEIGHT + AXIS}" role="img" aria-label="${title}: ${said}">
            ${columns(shown, WIDTH, HEIGHT, HEADROOM)} ${axis(latency, shown.length)}
            ${quantile(latency.p50_ms, "50 %", 0, latency, shown.length)}
            ${quantile(latency.p99_ms, "99 %", 1, latency, shown.length)}
          </svg>`
        : html`<p class="none">${otherwise.charAt(0).toUpperCase()}${otherwise.slice(1)}.</p>`
    }
  </figure>`;
}

function small(latency: Latency, stage: string): TemplateResult {
  const shown = bars(latency);
  return html`<svg class="spread" viewBox="0 0 ${SMALL_WIDTH} ${SMALL_HEIGHT}" role="img"
    aria-label="how the times of ${stage} are spread">${columns(shown, SMALL_WIDTH, SMALL_HEIGHT, 0)}</svg>`;
}

function columns(shown: ReturnType<typeof bars>, width: number, height: number, above: number): SVGTemplateResult[] {
  const each = width / Math.max(1, shown.length);
  return shown.map(({ share, count, words }, turn) => {
    const tall = count > 0 ? Math.max(1, share * (height - above)) : 0;
    return svg`<rect x=${turn * each + 1} y=${height - tall} width=${Math.max(1, each - 2)} height=${tall}>
      <title>${words}: ${count}</title></rect>`;
  });
}

function axis({ bounds_ms: bounds }: Latency, shown: number): SVGTemplateResult[] {
  const each = WIDTH / shown;
  const line = svg`<line class="axis" x1="0" x2=${WIDTH} y1=${HEIGHT} y2=${HEIGHT} />`;
  const texts = bounds
    .slice(0, shown - 1)
    .map((bound, turn) => svg`<text class="bound" x=${(turn + 1) * each} y=${HEIGHT + 12}>${tick(bound)}${turn === 0 ? " ms" : ""}</text>`);
  return [line, ...texts];
}

/** `line` of its name, since two quantiles may lie side by side. */
function quantile(
  ms: number | null,
  text: string,
  line: number,
  { bounds_ms: bounds }: Latency,
  shown: number,
): SVGTemplateResult | typeof nothing {
  if (ms === null) return nothing;
  const x = Math.min(WIDTH - 1, (place(ms, bounds) * WIDTH) / shown);
  const isRight = x > WIDTH * 0.8;
  return svg`<line class="quantile" x1=${x} x2=${x} y1="0" y2=${HEIGHT} />
    <text class="quantile" x=${x + (isRight ? -3 : 3)} y=${9 + 11 * line} text-anchor=${isRight ? "end" : "start"}>${text}</text>`;
}

function trace(points: readonly (readonly [number, number])[]): TemplateResult {
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined || last[0] <= first[0]) return html`<small>from now on</small>`;
  const most = Math.max(1, ...points.map(([, lag]) => lag));
  // From nothing, and to one at least: a ledger that is always empty is a line at the bottom.
  const scaled = points.map(([at, lag]) => [at, SMALL_HEIGHT - 1 - (lag / most) * (SMALL_HEIGHT - 2)] as const);
  const across = SMALL_WIDTH / (last[0] - first[0]);
  const drawn = scaled.map(([at, y], turn) => `${turn === 0 ? "M" : "L"}${((at - first[0]) * across).toFixed(1)} ${y.toFixed(1)}`);
  return html`<svg class="trace" viewBox="0 0 ${SMALL_WIDTH} ${SMALL_HEIGHT}" preserveAspectRatio="none" role="img"
    aria-label="at most ${most} entries"><path d=${drawn.join("")} /></svg>`;
}

function named(term: TermName): TemplateResult {
  return label(term);
}

function span({ window_ms: window }: Status): string {
  return window ? `last ${format.duration(window)}` : "";
}

function size(bytes: number): string {
  return bytes >= MIB ? `${Math.round(bytes / MIB)} MiB` : `${Math.round(bytes / 1_024)} KiB`;
}

function warn(count: number): string {
  return count > 0 ? "warn" : "";
}
