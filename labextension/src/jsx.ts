import { createElement, Fragment as fragment } from "react";

// Local names, which the minifier shortens: JSX is compiled to calls of these.
export const h = createElement;
export const Fragment = fragment;
