// OpenTelemetry's instrumentation of http: spans of incoming and outgoing requests.
'use strict';

const { context, propagation, trace } = require('@opentelemetry/api');
const { AsyncLocalStorageContextManager } = require('@opentelemetry/context-async-hooks');
const { W3CTraceContextPropagator } = require('@opentelemetry/core');
const { registerInstrumentations } = require('@opentelemetry/instrumentation');
const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');
const { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-base');

const exporter = new InMemorySpanExporter();
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
trace.setGlobalTracerProvider(provider);
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());
registerInstrumentations({
  tracerProvider: provider,
  instrumentations: [new HttpInstrumentation({ ignoreIncomingRequestHook: (req) => req.url === '/spans' })],
});

// After the instrumentation, as it has to be.
const http = require('node:http');

const KINDS = ['internal', 'server', 'client'];
const inner = http.createServer((req, res) => res.end(req.headers.traceparent ? 'traced' : 'not traced'));

const routes = {
  '/ok': (req, res) => res.end('ok'),
  '/post': (req, res) => req.resume().on('end', () => res.end('posted')),
  '/fail': (req, res) => {
    res.statusCode = 500;
    res.end('failed');
  },
  '/inside': async (req, res) => {
    await new Promise(setImmediate);
    trace.getTracer('app').startActiveSpan('work', (span) => span.end());
    res.end('worked');
  },
  '/outgoing': (req, res) => {
    http.get({ host: '127.0.0.1', port: inner.address().port, path: '/inner' }, (answer) => answer.pipe(res));
  },
  '/never': () => {},
  '/context': async (req, res) => {
    const mine = trace.getActiveSpan().spanContext().spanId;
    await new Promise((resolve) => setTimeout(resolve, 5));
    res.end(String(mine === trace.getActiveSpan()?.spanContext().spanId));
  },
};

function spans() {
  const all = exporter.getFinishedSpans();
  const byId = new Map(all.map((span) => [span.spanContext().spanId, span]));
  const told = all.map((span) => {
    const { attributes: a, parentSpanContext: parent } = span;
    return {
      name: span.name,
      kind: KINDS[span.kind],
      parent: parent && (byId.get(parent.spanId)?.name ?? 'remote'),
      remote: parent?.traceId === 'a'.repeat(32),
      error: span.status.code === 2,
      status: a['http.response.status_code'] ?? a['http.status_code'],
      target: a['url.path'] ?? a['http.target'],
    };
  });
  return told;
}

const server = http.createServer((req, res) => {
  if (req.url === '/spans') {
    res.end(JSON.stringify(spans()));
    return exporter.reset();
  }
  return routes[req.url](req, res);
});
inner.listen(0, '127.0.0.1', () => server.listen(process.env.PORT, '127.0.0.1'));
