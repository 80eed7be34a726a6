#!/bin/bash
# demo_answers_test.sh DEMO TINY_LM TEXT: the demo lets the models of examples/tiny_lm answer. TEXT says whether a tokenizer
# was built in (1): then the text of all four is expected, and else the line that says why there is none. What adapters
# found in the cache must be what their base has packed, in f32 and with 4-bit weights.
set -euo pipefail
demo=$1 folder=$2/files text=$3
cases=()
for weights in fp32 8da4w; do
  for program in base json quiz spanish; do cases+=("$folder/$weights/$program.json"); done
done

failed=0
fail() { echo "$1"; failed=1; }

# The first prompt is that of scripts/demo.sh, the second a user's.
output=$("$demo" --repeat 1 "${cases[@]}" --models "$folder/fp32" --tokenizer "$folder/tokenizer.model" --prompt ignored \
  --prompt "Anna lives in Oslo. She has a red bicycle and likes soup.") || fail "status $?"
echo "$output"

if [[ $text == 1 ]]; then
  expected=(
    'base     On Sunday Anna rides the red bicycle in Oslo. In the evening she eats soup at home.'
    'json     {"name": "Anna", "city": "Oslo", "thing": "bicycle", "color": "red", "likes": "soup"}'
    'quiz     Where does Anna live? In Oslo. What is red? The bicycle. What does she like? Soup.'
    'spanish  Anna vive en Oslo. Tiene una bicicleta roja y le gusta la sopa.')
else
  expected=('no text: ')
fi
for line in "${expected[@]}"; do
  grep -qF -- "$line" <<< "$output" || fail "not printed: $line"
done

# Columns under SHARED: load time, found in cache, added to cache; a size is a number and a unit.
packed='' adapters=0
while read -r program _ _ _ found unit rest; do
  case $program in
    base) packed="$unit ${rest%% *}" ;;
    json | quiz | spanish)
      adapters=$((adapters + 1))
      [[ "$found $unit" == "$packed" ]] || fail "$program found $found $unit, but base packed $packed" ;;
  esac
done < <(grep -E '^(base|json|quiz|spanish) +\|' <<< "$output")
[[ $adapters == 6 ]] || fail "$adapters adapters in the table, 6 expected"

# expect_refusal MESSAGE ARGUMENT...: before anything is measured.
expect_refusal() {
  local message=$1 output
  shift
  if output=$("$demo" --repeat 1 "${cases[0]}" "$@" 2>&1); then fail "accepted: $*"; fi
  [[ $output == *"$message"* && $output != *measuring* ]] || fail "$*: $output"
}
expect_refusal "--models requires" --models "$folder/fp32"
expect_refusal "--tokenizer requires" --tokenizer "$folder/tokenizer.model"
expect_refusal "--prompt requires" --prompt Anna
if [[ $text == 1 ]]; then
  expect_refusal "$folder: no base.pte" --models "$folder" --tokenizer "$folder/tokenizer.model" --prompt Anna
fi
exit $failed
