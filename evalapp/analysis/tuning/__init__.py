"""Is tuning better than a good prompt?"""
