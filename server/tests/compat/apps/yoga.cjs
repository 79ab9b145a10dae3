// GraphQL Yoga: queries, mutations, errors, subscriptions as events.
'use strict';

const http = require('node:http');
const { createSchema, createYoga } = require('graphql-yoga');

const books = [{ title: 'Dune' }];
const yoga = createYoga({
  logging: false,
  maskedErrors: true,
  graphiql: false,
  landingPage: false,
  schema: createSchema({
    typeDefs: `
      type Book { title: String! }
      type Query { books: [Book!]!, hello(name: String = "you"): String!, fails: String, agent: String }
      type Mutation { add(title: String!): Book! }
      type Subscription { count(to: Int!): Int! }`,
    resolvers: {
      Query: {
        books: () => books,
        hello: (_, { name }) => `hello ${name}`,
        agent: (_, __, { request }) => request.headers.get('user-agent'),
        fails: () => {
          throw new Error('hidden');
        },
      },
      Mutation: { add: (_, book) => (books.push(book), book) },
      Subscription: {
        count: {
          async *subscribe(_, { to }) {
            for (let i = 1; i <= to; i++) yield { count: i };
          },
        },
      },
    },
  }),
});
http.createServer(yoga).listen(process.env.PORT, '127.0.0.1');
