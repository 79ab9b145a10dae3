// A page that is made for each request.
import { cookies, headers } from 'next/headers';
import { notFound } from 'next/navigation';

export default async function Page({ params, searchParams }) {
  const { id } = await params;
  if (id === 'none') notFound();
  const { q } = await searchParams;
  return <p>item {id} {q} {(await cookies()).get('c')?.value} {(await headers()).get('x-sent')}</p>;
}
