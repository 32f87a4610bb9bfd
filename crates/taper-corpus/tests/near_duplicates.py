"""Near-duplicates of IMDB by an exact join, to hold `duplicates.rs` against.

    python near_duplicates.py aclImdb_v1.tar.gz [THRESHOLD]

No sketches: an inverted index over every text's rarest shingles, as many as two texts above the threshold must share
one of (prefix filtering; Chaudhuri, Ganti and Kaushik 2006). Standard library alone; a minute or two for 100,000 texts.
"""

import collections
import math
import re
import sys
import tarfile

WORD = re.compile(r"[^\W_]+")
TAG = re.compile(r"<[a-zA-Z/][^<>]*>")


def shingles(text):
    words = WORD.findall(TAG.sub(" ", text).lower())
    if len(words) < 5:
        return {tuple(words)} if words else set()
    return {hash(tuple(words[i : i + 5])) for i in range(len(words) - 4)}


def distinct_texts(path):
    texts = {}
    with tarfile.open(path) as archive:
        for member in archive:
            match = re.search(r"(train|test)/(pos|neg|unsup)/\d+_\d+\.txt$", member.name)
            if match:
                split = "unsupervised" if match[2] == "unsup" else match[1]
                text = archive.extractfile(member).read().decode()
                texts.setdefault(text, set()).add(split)
    return texts


def main():
    threshold = float(sys.argv[2]) if len(sys.argv) > 2 else 0.5
    texts = distinct_texts(sys.argv[1])
    splits = list(texts.values())
    sets = [shingles(text) for text in texts]
    frequency = collections.Counter(shingle for each in sets for shingle in each)
    index, pairs, total = collections.defaultdict(list), collections.Counter(), 0
    for later, shared in enumerate(sets):
        rarest = sorted(shared, key=lambda shingle: (frequency[shingle], hash(shingle)))
        prefix = rarest[: len(rarest) - math.ceil(threshold * len(rarest)) + 1]
        candidates = set()
        for shingle in prefix:
            if frequency[shingle] > 1:
                candidates.update(index[shingle])
                index[shingle].append(later)
        for earlier in candidates:
            common = len(shared & sets[earlier])
            if common / (len(shared) + len(sets[earlier]) - common) >= threshold:
                total += 1
                both = {tuple(sorted((a, b))) for a in splits[earlier] for b in splits[later]}
                pairs.update(both)
    print(f"{len(texts)} distinct texts, {total} pairs at {threshold} or more")
    for (left, right), count in sorted(pairs.items()):
        print(f"{left} and {right}: {count}")


if __name__ == "__main__":
    main()
