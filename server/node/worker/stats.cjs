// The heartbeat of a server's links: answers pings, and once a second says how the process is doing.
'use strict';

const net = require('net');

const PERIOD_MS = 1000;

/** Pauses since the process began to count, which is when the first server is fed. One observer for all of them. */
const pauses = { count: 0, micros: 0, observer: undefined };

function countPauses() {
  if (pauses.observer !== undefined) return;
  const { PerformanceObserver } = require('perf_hooks');
  pauses.observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      pauses.count++;
      pauses.micros += duration * 1000;
    }
  });
  pauses.observer.observe({ entryTypes: ['gc'] });
}

/** Open handles, and those of them that are connections to elsewhere. */
function countHandles() {
  const handles = process._getActiveHandles?.() ?? [];
  let outbound = 0;
  for (const handle of handles) {
    // Only TCP: pipes are children's, the front's and the terminal's.
    if (handle instanceof net.Socket && !handle.server && handle._handle?.constructor.name === 'TCP') outbound++;
  }
  return { handles: handles.length, outbound };
}

class Heartbeat {
  constructor(links) {
    this.links = links;
    this.lateMicros = 0;
    this.lateMaxMicros = 0;
    this.utilisation = undefined;
    this.last = performance.now();
    countPauses();
    this.pauses = { ...pauses };
    this.timer = setInterval(() => this.beat(), PERIOD_MS).unref();
  }

  stop() {
    clearInterval(this.timer);
  }

  /** From a turn of the loop that runs application code. */
  pong(link, token) {
    const began = performance.now();
    setImmediate(() => {
      if (link.isClosed) return;
      const late = Math.max(this.lateMicros, (performance.now() - began) * 1000);
      link.encoder.pong(token, late);
      link.wrote();
    });
  }

  beat() {
    const now = performance.now();
    this.lateMicros = Math.max(0, (now - this.last - PERIOD_MS) * 1000);
    this.lateMaxMicros = Math.max(this.lateMaxMicros, this.lateMicros);
    this.last = now;
    const [link] = this.links.links;
    if (link === undefined || !link.isGreeted || link.isClosed) return;
    const { eventLoopUtilization } = performance;
    const before = this.utilisation;
    this.utilisation = eventLoopUtilization();
    const memory = process.memoryUsage();
    link.encoder.stats({
      utilisation: before === undefined ? this.utilisation.utilization : eventLoopUtilization(this.utilisation, before).utilization,
      delayMaxMicros: this.lateMaxMicros,
      heapUsed: memory.heapUsed,
      heapTotal: memory.heapTotal,
      external: memory.external,
      arrayBuffers: memory.arrayBuffers,
      rss: memory.rss,
      gcPauseMicros: pauses.micros - this.pauses.micros,
      gcCount: pauses.count - this.pauses.count,
      ...countHandles(),
      inFlight: this.links.links.reduce((sum, one) => sum + one.inFlight, 0),
    });
    this.lateMaxMicros = 0;
    this.pauses = { ...pauses };
    link.wrote();
  }
}

module.exports = { Heartbeat };
