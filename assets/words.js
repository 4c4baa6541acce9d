/** The page's words around a text, for what is deep in it. */

import { createContext } from "react";

export const Words = createContext({});
