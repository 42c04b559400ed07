from hypothesis import settings

settings.register_profile("flight", deadline=None)
settings.load_profile("flight")
