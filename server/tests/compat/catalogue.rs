//! The applications, in the order of the README's table.

/// An application and the checks that it goes through.
pub(crate) struct App {
    /// For filters of the command line.
    pub(crate) name: &'static str,
    /// For people.
    pub(crate) title: &'static str,
    /// The package that it is about, whose version the table shows; empty for node itself.
    pub(crate) package: &'static str,
    /// Its script.
    pub(crate) script: &'static str,
    /// Its checks in `client/`.
    pub(crate) checks: &'static str,
}

/// The server that `next build` makes of the folder `next`.
pub(crate) const NEXT: &str = "next/.next/standalone/next/server.js";

const fn app(
    name: &'static str,
    title: &'static str,
    package: &'static str,
    script: &'static str,
    checks: &'static str,
) -> App {
    App { name, title, package, script, checks }
}

/// All of them.
pub(crate) const APPS: &[App] = &[
    app("http", "node:http", "", "apps/http.cjs", "http.mjs"),
    app("express5", "Express 5", "express", "apps/express5.cjs", "express.mjs"),
    app("express4", "Express 4", "express4", "apps/express4.cjs", "express.mjs"),
    app("fastify", "Fastify", "fastify", "apps/fastify.mjs", "fastify.mjs"),
    app("koa", "Koa", "koa", "apps/koa.cjs", "koa.mjs"),
    app("nestjs", "NestJS", "@nestjs/core", "apps/nestjs.cjs", "nestjs.mjs"),
    app("hono", "Hono", "@hono/node-server", "apps/hono.mjs", "hono.mjs"),
    app("hapi", "hapi", "@hapi/hapi", "apps/hapi.cjs", "hapi.mjs"),
    app("next", "Next.js, standalone", "next", NEXT, "next.mjs"),
    app("ws", "ws", "ws", "apps/ws.cjs", "ws.mjs"),
    app("socketio", "Socket.IO", "socket.io", "apps/socketio.cjs", "socketio.mjs"),
    app("yoga", "GraphQL Yoga", "graphql-yoga", "apps/yoga.cjs", "yoga.mjs"),
    app("http-proxy", "http-proxy", "http-proxy", "apps/http-proxy.cjs", "http-proxy.mjs"),
    app("multer", "multer", "multer", "apps/multer.cjs", "multer.mjs"),
    app("busboy", "busboy", "busboy", "apps/busboy.cjs", "busboy.mjs"),
    app("compression", "compression", "compression", "apps/compression.cjs", "compression.mjs"),
    app("session", "express-session", "express-session", "apps/session.cjs", "session.mjs"),
    app("morgan", "morgan", "morgan", "apps/morgan.cjs", "morgan.mjs"),
    app("pino-http", "pino-http", "pino-http", "apps/pino-http.cjs", "pino-http.mjs"),
    app(
        "opentelemetry",
        "OpenTelemetry, http",
        "@opentelemetry/instrumentation-http",
        "apps/opentelemetry.cjs",
        "opentelemetry.mjs",
    ),
];
