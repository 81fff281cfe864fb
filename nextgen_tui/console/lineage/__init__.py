"""From a row to what it rests on and to what was made from it: a step at a time, or as a tree."""
