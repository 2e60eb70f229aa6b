"""What Streamlit runs on every rerun: who is there, the frame around the page, the page."""

from dashboard import frame

frame.show()
