// Requests and responses of the web's kind.
export async function GET(request) {
  return Response.json({ path: request.nextUrl.pathname, q: request.nextUrl.searchParams.get('q') });
}

export async function POST(request) {
  const body = await request.text();
  return new Response(body, { status: 201, headers: { 'Content-Type': 'text/plain', 'X-Length': String(body.length) } });
}
