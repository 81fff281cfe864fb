"""What each screen shows: pure functions from published frames to sheets, sentences, notes, pictures and stories."""
