declare module "*.svg" {
  const text: string;
  export default text;
}
declare module "*.raw.css" {
  const text: string;
  export default text;
}
