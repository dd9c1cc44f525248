"""Hosted models behind chat endpoints: asked as they are meant to be asked, their thinking counted as they count it"""
