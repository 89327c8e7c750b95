/** What require("shelf") gives: path is where the program is. Reading it throws if there is none for this system. */
declare const shelf: { readonly path: string };
export = shelf;
