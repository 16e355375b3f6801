"""GOO, gaze on objects: reader, and its annotation files read without executing them."""
