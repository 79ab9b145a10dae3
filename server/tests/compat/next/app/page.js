// A page that is made when the application is built.
export default function Page() {
  return <h1>static page</h1>;
}
