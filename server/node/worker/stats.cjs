// The heartbeat of a server's links: answers pings, and once a second says how the process is doing.
'use strict';

const PERIOD_MS = 1000;

class Heartbeat {
  constructor(links) {
    this.links = links;
    this.lateMicros = 0;
    this.lateMaxMicros = 0;
    this.utilisation = undefined;
    this.last = performance.now();
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
      gcPauseMicros: 0,
      gcCount: 0,
      handles: process._getActiveHandles?.().length ?? 0,
      outbound: 0,
      inFlight: this.links.links.reduce((sum, one) => sum + one.inFlight, 0),
    });
    this.lateMaxMicros = 0;
    link.wrote();
  }
}

module.exports = { Heartbeat };
