//! The applications, in the order of the README's table.

/// An application and the checks that it goes through.
pub(crate) struct App {
    /// For filters of the command line.
    pub(crate) name: &'static str,
    /// For people.
    pub(crate) title: &'static str,
    /// The package that it is about, whose version the table shows.
    pub(crate) package: &'static str,
    /// Its script in `apps/`.
    pub(crate) script: &'static str,
    /// Its checks in `client/`.
    pub(crate) checks: &'static str,
}

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
    app("express5", "Express 5", "express", "express5.cjs", "express.mjs"),
    app("express4", "Express 4", "express4", "express4.cjs", "express.mjs"),
    app("fastify", "Fastify", "fastify", "fastify.mjs", "fastify.mjs"),
    app("koa", "Koa", "koa", "koa.cjs", "koa.mjs"),
    app("nestjs", "NestJS", "@nestjs/core", "nestjs.cjs", "nestjs.mjs"),
    app("hono", "Hono", "@hono/node-server", "hono.mjs", "hono.mjs"),
    app("hapi", "hapi", "@hapi/hapi", "hapi.cjs", "hapi.mjs"),
    app("ws", "ws", "ws", "ws.cjs", "ws.mjs"),
    app("socketio", "Socket.IO", "socket.io", "socketio.cjs", "socketio.mjs"),
    app("yoga", "GraphQL Yoga", "graphql-yoga", "yoga.cjs", "yoga.mjs"),
    app("http-proxy", "http-proxy", "http-proxy", "http-proxy.cjs", "http-proxy.mjs"),
    app("multer", "multer", "multer", "multer.cjs", "multer.mjs"),
    app("busboy", "busboy", "busboy", "busboy.cjs", "busboy.mjs"),
    app("compression", "compression", "compression", "compression.cjs", "compression.mjs"),
    app("session", "express-session", "express-session", "session.cjs", "session.mjs"),
    app("morgan", "morgan", "morgan", "morgan.cjs", "morgan.mjs"),
    app("pino-http", "pino-http", "pino-http", "pino-http.cjs", "pino-http.mjs"),
    app(
        "opentelemetry",
        "OpenTelemetry, http",
        "@opentelemetry/instrumentation-http",
        "opentelemetry.cjs",
        "opentelemetry.mjs",
    ),
];
