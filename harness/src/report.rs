//! What a person or a program is shown of a run. Pure: from manifest and summary to text.
