// What a page does beside what it does without: live answers, copying, dropping a file.
import { live } from "/static/live.js";
import { buttons } from "/static/copy.js";
import { dropping } from "/static/drop.js";

const form = document.querySelector("#ask");
if (form) live(form);
buttons(document);
const place = document.querySelector(".drop");
if (place) dropping(place);
