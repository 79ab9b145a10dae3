// A page whose second part comes later, in the same response.
import { Suspense } from 'react';

export const dynamic = 'force-dynamic';

async function Slow() {
  await new Promise((resolve) => setTimeout(resolve, 100));
  return <p>the slow part</p>;
}

export default function Page() {
  return <main><p>the quick part</p><Suspense fallback={<p>wait</p>}><Slow /></Suspense></main>;
}
