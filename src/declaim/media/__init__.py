"""Files in and out: sound, video and pictures."""

from declaim.media.audio_io import read_audio, stream_sound
from declaim.media.audio_writer import write_audio
from declaim.media.image_io import read_image, read_portrait_image, write_image
from declaim.media.recording import Recording, read_recording
from declaim.media.video_io import MediaInfo, probe, read_frames
from declaim.media.video_writer import write_video

__all__ = [
    "MediaInfo",
    "Recording",
    "probe",
    "read_audio",
    "read_frames",
    "read_image",
    "read_portrait_image",
    "read_recording",
    "stream_sound",
    "write_audio",
    "write_image",
    "write_video",
]
